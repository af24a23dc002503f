//! What `cargo stylus` asks natively: the constructor's signature.

fn main() {
    println!("constructor(uint256 initialNumber)");
}
