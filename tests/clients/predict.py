"""A client of duoxehyon/evm-neural-network:  python predict.py FIXTURE.json

It knows `predict(uint8[400])`, `isModelReady()` and the event, no more, and asks as that project's evaluation does: a
call without a sender, and an estimate from the zero address with a gas limit of 50 million. Then it sends a transaction.
"""

import json
import sys

from web3 import Web3

ABI = [
    {"type": "function", "name": "predict", "stateMutability": "nonpayable",
     "inputs": [{"name": "inputImage", "type": "uint8[400]"}], "outputs": [{"name": "", "type": "uint8"}]},
    {"type": "function", "name": "isModelReady", "stateMutability": "view",
     "inputs": [], "outputs": [{"name": "", "type": "bool"}]},
    {"type": "event", "name": "PredictionResult", "anonymous": False,
     "inputs": [{"name": "digit", "type": "uint8", "indexed": False}]},
]

fixture = json.load(open(sys.argv[1]))
w3 = Web3(Web3.HTTPProvider(fixture["rpc"]))
contract = w3.eth.contract(Web3.to_checksum_address(fixture["classifier"]), abi=ABI)
account = w3.eth.account.from_key(fixture["key"])
predict = contract.functions.predict(list(bytes.fromhex(fixture["image"][2:])))

report = {
    "ready": contract.functions.isModelReady().call(),
    "gasPrice": w3.eth.gas_price,
    "digit": predict.call(),
    "estimate": predict.estimate_gas({"from": "0x" + 40 * "0", "gas": 50_000_000}),
}
nonce = w3.eth.get_transaction_count(account.address)
transaction = predict.build_transaction({"from": account.address, "nonce": nonce})
sent = w3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
receipt = w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.02)
report["gas"] = receipt["gasUsed"]
report["events"] = [event["args"]["digit"] for event in contract.events.PredictionResult().process_receipt(receipt)]
print(json.dumps(report))
