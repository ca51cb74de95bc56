//! Collects mistakes, so that one compile reports them all.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far. It must be asked for them: dropping it unasked is a bug of this crate, and panics.
#[must_use]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    checked: bool,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self { found: Vec::new(), checked: false }
    }

    /// A mistake at these tokens.
    pub(crate) fn at(&mut self, tokens: &dyn ToTokens, message: impl Into<String>) {
        self.found.push(syn::Error::new_spanned(tokens.to_token_stream(), message.into()));
    }

    /// A mistake at this place.
    pub(crate) fn at_span(&mut self, span: Span, message: impl Into<String>) {
        self.found.push(syn::Error::new(span, message.into()));
    }

    /// A mistake that the parser found.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// What the parser gave, or `None` and one more mistake.
    pub(crate) fn take<T>(&mut self, parsed: syn::Result<T>) -> Option<T> {
        match parsed {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.push(error);
                None
            }
        }
    }

    /// What the parser says at its end. It repeats what is already known, where there was a mistake before.
    pub(crate) fn left_over(&mut self, parsed: syn::Result<()>) {
        if let Err(error) = parsed
            && self.is_empty()
        {
            self.push(error);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Each mistake as a `compile_error!`, or `None` if there are none.
    pub(crate) fn finish(mut self) -> Option<TokenStream> {
        self.checked = true;
        if self.found.is_empty() {
            return None;
        }
        Some(self.found.iter().map(syn::Error::to_compile_error).collect())
    }

    /// The messages alone.
    #[cfg(test)]
    pub(crate) fn messages(mut self) -> Vec<String> {
        self.checked = true;
        self.found.iter().flat_map(|error| error.clone().into_iter()).map(|error| error.to_string()).collect()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(self.checked || std::thread::panicking(), "the mistakes found were never reported");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_every_mistake() {
        let mut errors = Errors::new();
        errors.at_span(Span::call_site(), "one");
        errors.at_span(Span::call_site(), "two");
        let reported = errors.finish().map(|tokens| tokens.to_string()).unwrap_or_default();
        assert_eq!(reported.matches("compile_error").count(), 2);
    }

    #[test]
    #[should_panic(expected = "never reported")]
    fn panics_when_nobody_asks() {
        drop(Errors::new());
    }
}
