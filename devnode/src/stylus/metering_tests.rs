//! When ink and stack are taken, derived from `crates/prover/src/programs/{meter,depth,dynamic}.rs` in Nitro.

use super::tests::Lone;
use super::*;

fn params(max_stack_depth: u32) -> StylusParams {
    StylusParams { max_stack_depth, ..StylusParams::ARBOS_51 }
}

/// Runs a module of one page whose entry point has `body`.
fn run_with(params: &StylusParams, rest: &str, body: &str, ink: u64) -> RunResult {
    let wat = format!(
        r#"(module {rest} (memory (export "memory") 1 1)
            (func (export "user_entrypoint") (param i32) (result i32) {body}))"#
    );
    let program = Program::compile(&wat::parse_str(wat).unwrap(), params).unwrap();
    let context = Context {
        ink_price: params.ink_price,
        max_stack_depth: params.max_stack_depth,
        arbos_version: params.arbos_version,
        ..Context::default()
    };
    program.run(&CallContext { args: &[], context }, &mut Lone::default(), ink)
}

fn run(body: &str, ink: u64) -> RunResult {
    run_with(&StylusParams::ARBOS_51, "", body, ink)
}

/// Whether the program ends well with `ink` and nothing is left, and runs out with one less.
#[track_caller]
fn costs_exactly(body: &str, ink: u64) {
    assert_eq!(run(body, ink), RunResult { outcome: Outcome::Success(vec![]), ink_left: 0 });
    assert_eq!(run(body, ink - 1), RunResult { outcome: Outcome::OutOfInk, ink_left: 0 });
}

/// A header 2,450, a constant 1, `end` 1.
#[test]
fn a_block_is_paid_for_to_the_last_ink() {
    costs_exactly("i32.const 0", 2_452);
}

/// `unreachable` does not end its block: the block's 2,453 are due before it traps, and a program that cannot pay them
/// runs out of ink instead of trapping.
#[test]
fn a_block_is_paid_for_before_it_begins() {
    let trap = run("unreachable i32.const 0", 2_453);
    assert!(matches!(trap.outcome, Outcome::Failure(_)));
    assert_eq!(trap.ink_left, 0);
    assert_eq!(run("unreachable i32.const 0", 2_452).outcome, Outcome::OutOfInk);
}

/// A branch not taken costs nothing: [const, if] is 2,450 + 1 + 765, what follows [const, end] 2,452; the arm [nop, end] would
/// be 2,452 more.
#[test]
fn only_blocks_that_run_are_paid_for() {
    costs_exactly("i32.const 0 if nop end i32.const 0", 3_216 + 2_452);
    costs_exactly("i32.const 1 if nop end i32.const 0", 3_216 + 2_452 + 2_452);
}

/// 950 and 100 a byte; the rest of the block is 2,450, four constants and `end`.
#[test]
fn bulk_memory_is_paid_for_by_the_byte() {
    for op in ["fill", "copy"] {
        let body =
            |bytes| format!("i32.const 8 i32.const 0 i32.const {bytes} memory.{op} i32.const 0");
        costs_exactly(&body(0), 3_405);
        costs_exactly(&body(7), 3_405 + 700);
        // out of bounds by a byte: paid for, then it traps
        let trap = run(&body(65_529), 3_405 + 6_552_900 + 5);
        assert!(matches!(trap.outcome, Outcome::Failure(_)), "{op}");
        assert_eq!(trap.ink_left, 5);
        // 4 GiB less a byte: the product does not wrap
        assert_eq!(run(&body(-1), 1_000_000).outcome, Outcome::OutOfInk);
    }
}

/// A call of `$f` takes 6 words (2 of the meter, 4 of overhead), as does the entry point, and needs more than that to be
/// left: of 22,000 words ⌊21,999 / 6⌋ = 3,666 calls are possible, of 262,144 there are 43,690. From `n`, `$f` is called
/// n + 1 times.
#[test]
fn the_stack_limit_counts_words() {
    let f = "(func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))))";
    for (limit, calls) in [(22_000, 3_666), (262_144, 43_690)] {
        let recursion = |n: u32| {
            run_with(&params(limit), f, &format!("(call $f (i32.const {n})) i32.const 0"), 1 << 40)
        };
        assert_eq!(recursion(calls - 2).outcome, Outcome::Success(vec![]), "{limit}");
        let overflow = RunResult { outcome: Outcome::OutOfStack, ink_left: 0 };
        assert_eq!(recursion(calls - 1), overflow, "{limit}");
    }
}

/// Words of stack come back on `return` too, so a program may call as often as it likes.
#[test]
fn returning_gives_the_stack_back() {
    let f = "(func $f (param i32) local.get 0 if return end)";
    let body = "(local i32) (loop (call $f (local.get 1))
        (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 10000))))
        i32.const 0";
    assert_eq!(run_with(&params(100), f, body, 1 << 40).outcome, Outcome::Success(vec![]));
}
