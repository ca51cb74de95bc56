//! Arms: what follows when something ends. The same grammar on a task, on a workflow and in a block.
//!
//! `parse` reads them, `check` holds the rules that need no other arms than these, `expand` makes the route of
//! them. `pattern` knows what a pattern binds, `written` shows tokens as a person would have typed them.

pub(crate) mod check;
pub(crate) mod edges;
pub(crate) mod expand;
pub(crate) mod failing;
pub(crate) mod parse;
pub(crate) mod pattern;
pub(crate) mod target;
pub(crate) mod written;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::{Expr, LitStr, Pat, Path, Token};

use crate::names;
use expand::Scope;

/// How something ended, as an arm says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Err,
    Failure,
    Timeout,
    Cancel,
    /// The step completed, and its run fails later.
    Undo,
}

impl Outcome {
    pub(crate) const WORDS: [&'static str; 6] = ["on_ok", "on_err", "on_failure", "on_timeout", "on_cancel", "undo"];

    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "on_ok" => Self::Ok,
            "on_err" => Self::Err,
            "on_failure" => Self::Failure,
            "on_timeout" => Self::Timeout,
            "on_cancel" => Self::Cancel,
            "undo" => Self::Undo,
            _ => return None,
        })
    }
}

/// One arm. `W` is how it names the work that follows: a path as parsed, a number in the model.
#[derive(Debug)]
pub(crate) struct Arm<W> {
    pub(crate) outcome: Outcome,
    /// The word, `on_ok`.
    pub(crate) word: Ident,
    pub(crate) pattern: Option<Pat>,
    /// The pattern of the step's own payload.
    pub(crate) input: Option<Pat>,
    pub(crate) guard: Option<Expr>,
    /// What it takes of its run's past.
    pub(crate) with: Vec<With>,
    pub(crate) targets: Vec<Target<W>>,
    /// Its last token, behind which the compiler would add another arm.
    pub(crate) end: Span,
    /// All before the arrow, as a person would write it.
    pub(crate) written: String,
}

/// `with step(pattern)`: what an arm takes of its run's past.
#[derive(Debug)]
pub(crate) struct With {
    /// The step's name, or `input`.
    pub(crate) word: Ident,
    pub(crate) pattern: Pat,
    /// What the name stands for: the model knows.
    pub(crate) from: Option<Past>,
}

/// What is past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    /// The input of the run.
    Input,
    /// The output of this step.
    Step(usize),
}

/// What an arm leads to.
#[derive(Debug)]
pub(crate) struct Target<W> {
    pub(crate) kind: TargetKind<W>,
    pub(crate) after: Option<After>,
    pub(crate) limit: Option<Limit>,
}

/// A pause on an edge.
#[derive(Debug, Clone)]
pub(crate) enum After {
    Text(LitStr),
    Value(Box<Expr>),
}

impl ToTokens for After {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Text(text) => text.to_tokens(tokens),
            Self::Value(value) => value.to_tokens(tokens),
        }
    }
}

/// `limit n`.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(crate) word: Ident,
    pub(crate) number: u32,
}

#[derive(Debug)]
pub(crate) enum TargetKind<W> {
    Work {
        to: W,
        payload: Payload,
    },
    /// A step for each item.
    Each {
        to: W,
        items: Expr,
    },
    Done {
        word: Ident,
        output: Option<Expr>,
    },
    Fail {
        word: Ident,
        reason: Option<Expr>,
    },
    End {
        word: Ident,
    },
    Rollback {
        word: Ident,
    },
}

/// The payload of a target.
#[derive(Debug)]
pub(crate) enum Payload {
    /// What flows along the edge.
    Flows,
    /// `{ field: expr, .. }`: the group as it is.
    Fields(TokenStream),
    /// `(expr, ..)`.
    Values(Punctuated<Expr, Token![,]>),
}

/// Work as the model knows it.
#[derive(Debug, Clone)]
pub(crate) struct Linked {
    /// Which of the works of this macro.
    pub(crate) number: usize,
    /// Where this edge names it.
    pub(crate) span: Span,
    /// Where it is named first: what it can't be at all is said there, and once.
    pub(crate) first: Span,
}

impl<W> Arm<W> {
    /// The same arm, its work named in another way.
    pub(crate) fn link<L>(self, link: &mut impl FnMut(W) -> L) -> Arm<L> {
        let targets = self.targets.into_iter().map(|target| target.link(link)).collect();
        Arm {
            outcome: self.outcome,
            word: self.word,
            pattern: self.pattern,
            input: self.input,
            guard: self.guard,
            with: self.with,
            targets,
            end: self.end,
            written: self.written,
        }
    }

    /// Whether it takes every end of its outcome, as far as its form shows.
    pub(crate) fn takes_all(&self) -> bool {
        let all = |pattern: &Option<Pat>| pattern.as_ref().is_none_or(pattern::takes_all);
        self.guard.is_none() && all(&self.pattern) && all(&self.input)
    }

    /// Whether it matches the task's own error.
    pub(crate) fn is_typed_error(&self) -> bool {
        self.outcome == Outcome::Err && self.pattern.is_some()
    }

    /// Whether it takes failures of every kind: `on_err`, `on_failure` and `on_failure(..)`.
    pub(crate) fn is_catch(&self) -> bool {
        matches!(self.outcome, Outcome::Err | Outcome::Failure) && !self.is_typed_error()
    }
}

impl<W> Target<W> {
    /// The step that it leads to, once or for each item.
    pub(crate) fn to(&self) -> Option<&W> {
        match &self.kind {
            TargetKind::Work { to, .. } | TargetKind::Each { to, .. } => Some(to),
            _ => None,
        }
    }

    fn link<L>(self, link: &mut impl FnMut(W) -> L) -> Target<L> {
        let kind = match self.kind {
            TargetKind::Work { to, payload } => TargetKind::Work { to: link(to), payload },
            TargetKind::Each { to, items } => TargetKind::Each { to: link(to), items },
            TargetKind::Done { word, output } => TargetKind::Done { word, output },
            TargetKind::Fail { word, reason } => TargetKind::Fail { word, reason },
            TargetKind::End { word } => TargetKind::End { word },
            TargetKind::Rollback { word } => TargetKind::Rollback { word },
        };
        Target { kind, after: self.after, limit: self.limit }
    }
}

/// Two aliases for each task that arms lead to. The first one holds only what may follow, the second one is the type as
/// it is written. A name that is no task is one error, at its first word.
pub(crate) fn aliases<'a>(scope: &Scope<'_>, paths: impl Iterator<Item = (usize, &'a Path)>) -> TokenStream {
    let gate = if scope.in_block { "Step" } else { "Follower" };
    paths
        .map(|(number, path)| {
            let span = last_word(path).span();
            let private = scope.krate.private(span);
            let way = target::way(scope, number, span);
            let [gate, itself] = [gate, "Work"].map(|name| Ident::new(name, span));
            let (work, payload) = (names::work(number, span), names::payload(number, span));
            let gated = quote_spanned!(span=> <#path as #private::#gate>::#itself);
            quote! {
                #[allow(dead_code)]
                type #work = #gated;
                #[allow(dead_code)]
                type #payload = #path;
                #way
            }
        })
        .collect()
}

/// The last word of a path: what a step is called.
pub(crate) fn last_word(path: &Path) -> Ident {
    match path.segments.last() {
        Some(segment) => segment.ident.clone(),
        None => Ident::new("_nameless", Span::call_site()),
    }
}
