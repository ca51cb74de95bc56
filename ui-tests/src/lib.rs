//! Nothing but tests: `tests/ui.rs` runs the programs in `pass/` and `fail/`.
