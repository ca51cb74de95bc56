//! `workflow! { .. }` (in `block`) and `#[workflow(..)]` (in `attribute`): parse -> model -> check -> expand.

pub(crate) mod attribute;
pub(crate) mod block;
mod implement;
pub(crate) mod options;
mod picture;
#[cfg(test)]
mod tests;

pub(crate) use attribute::attribute;
pub(crate) use block::block;
