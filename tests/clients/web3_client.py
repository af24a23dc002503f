"""The same as ethers.mjs with web3.py:  python web3_client.py FIXTURE.json"""

import json
import sys

from eth_utils.abi import abi_to_signature
from web3 import Web3
from web3.exceptions import ContractCustomError
from web3.middleware import SignAndSendRawMiddlewareBuilder

fixture = json.load(open(sys.argv[1]))
w3 = Web3(Web3.HTTPProvider(fixture["rpc"]))
account = w3.eth.account.from_key(fixture["key"])
w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
w3.eth.default_account = account.address
image = bytes.fromhex(fixture["image"][2:])
errors = {Web3.to_hex(Web3.keccak(text=abi_to_signature(item))[:4]): item
          for item in fixture["abi"] if item["type"] == "error"}


def refusal(call):
    """The custom error that a call is refused with, decoded."""
    try:
        call()
        return "not refused"
    except ContractCustomError as error:
        kind = errors[error.data[:10]]
        types = [argument["type"] for argument in kind["inputs"]]
        values = w3.codec.decode(types, bytes.fromhex(error.data[10:]))
        return f"{kind['name']}({', '.join(map(str, values))})".lower()


def done(call):
    return w3.eth.wait_for_transaction_receipt(call.transact(), poll_latency=0.02)


def fields(event):
    args = event["args"]
    return [args["caller"].lower(), Web3.to_hex(args["imageHash"]), args["digit"]]


assert w3.is_connected()
report = {"chainId": w3.eth.chain_id, "balance": str(w3.eth.get_balance(account.address))}

created = done(w3.eth.contract(abi=fixture["abi"], bytecode=fixture["bytecode"]).constructor(account.address))
packed = w3.eth.contract(created["contractAddress"], abi=fixture["abi"])
report["created"] = [Web3.to_hex(w3.eth.get_code(packed.address)) == fixture["code"], created["gasUsed"]]
report["notReady"] = refusal(packed.functions.classify(image).call)
done(packed.functions.beginModel(fixture["header"], fixture["modelHash"]))
for index, words in fixture["uploads"]:
    done(packed.functions.uploadChunk(index, words))
done(packed.functions.finalizeModel())

stylus = w3.eth.contract(Web3.to_checksum_address(fixture["classifier"]), abi=fixture["abi"])
begin = stylus.functions.beginModel(fixture["header"], fixture["modelHash"])
report["notOwner"] = refusal(begin.estimate_gas)

report["contracts"] = []
for contract in [packed, stylus]:
    classified = contract.events.Classified
    heard = classified.create_filter(from_block="latest", argument_filters={"caller": account.address})
    record = contract.functions.classifyAndRecord(image)
    estimate = record.estimate_gas()
    receipt = done(record)
    found = classified.get_logs(from_block=receipt["blockNumber"], argument_filters={"caller": account.address})
    report["contracts"].append({
        "digit": contract.functions.classify(image).call(),
        "logits": contract.functions.logits(image).call(),
        "estimate": estimate,
        "gas": receipt["gasUsed"],
        "event": fields(classified().process_receipt(receipt)[0]),
        "found": [fields(event) for event in found],
        "heard": [fields(event) for event in heard.get_new_entries()][-1],
        "refused": refusal(contract.functions.classify(image[1:]).call),
    })
print(json.dumps(report))
