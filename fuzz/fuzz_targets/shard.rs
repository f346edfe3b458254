//! One roll-out over the shards of both stages, whose workers die, fall behind and are replaced as
//! the bytes say, beside a recount of what happened.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/shard_model/design.rs"]
mod design;
#[allow(dead_code)]
#[path = "../../tests/shard_model/history.rs"]
mod history;
#[path = "../../tests/shard_model/library.rs"]
mod library;
#[allow(dead_code)]
#[path = "../../tests/shard_model/recount.rs"]
mod recount;
#[allow(dead_code)]
#[path = "../../tests/shard_model/world.rs"]
mod world;

use std::cell::RefCell;

use arbitrary::Unstructured;
use design::Design;
use history::{Choices, Kinds, history};
use libfuzzer_sys::fuzz_target;
use library::{Library, repair};
use recount::is_recount;
use world::{World, run, run_losing};

struct Bytes<'b, 'a>(&'b RefCell<Unstructured<'a>>);

impl Choices for Bytes<'_, '_> {
    fn below(&mut self, count: usize) -> usize {
        self.0.borrow_mut().int_in_range(0..=count - 1).expect("0 if there are no more")
    }
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = RefCell::new(Unstructured::new(bytes));
    let mut choices = Bytes(&bytes);
    let kinds = [Kinds::All, Kinds::Facts, Kinds::Reports][choices.below(3)];
    let scale = [1, 8][choices.below(2)];
    let history = history(kinds, scale, &mut choices);
    let (mut first, mut second) = (Bytes(&bytes), Bytes(&bytes));
    let outcome = if kinds == Kinds::Reports && choices.one_in(2) {
        // Stage 2 loses messages, and is repaired.
        let (ones, mut twos) = run_losing::<Library<true>>(&history, 3, &mut first, &mut second);
        repair(&ones, &mut twos);
        Library::<true>::outcome(&ones, &twos)
    } else {
        run::<Library<true>>(&history, World::AnyOrder, &mut first, &mut second)
    };
    assert!(is_recount(outcome.clone(), &history), "{history:?}\n{outcome:?}");
});
