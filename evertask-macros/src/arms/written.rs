//! Tokens as a person would have typed them.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens as _;

/// The text of these tokens, spaced as rustfmt would.
pub(crate) fn written(tokens: TokenStream) -> String {
    let mut text = String::new();
    write(tokens, &mut text);
    text
}

/// The text of a type: what `<` and `>` are in a pattern, a comparison, they never are here.
pub(crate) fn written_type(of: &syn::Type) -> String {
    let text = written(of.to_token_stream());
    [(" <", "<"), ("< ", "<"), (" >", ">"), ("> ::", ">::"), (">:: ", ">::")]
        .iter()
        .fold(text, |text, (loose, tight)| text.replace(loose, tight))
}

/// The words that a value follows, so that a sign behind them belongs to it.
const BEFORE_VALUES: [&str; 7] = ["if", "in", "match", "return", "ref", "mut", "as"];

/// What the last token was, for the space before the next one.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Start,
    Word,
    /// Binds to the next token: `&`, `!`, `.`, `::`, `#`.
    Tight,
    Punct,
    Comma,
    Group,
}

fn write(tokens: TokenStream, text: &mut String) {
    let mut last = Last::Start;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                let calls = matches!(last, Last::Word | Last::Group) && group.delimiter() != Delimiter::Brace;
                if !calls && !matches!(last, Last::Start | Last::Tight) {
                    text.push(' ');
                }
                if group.stream().is_empty() {
                    text.push_str(open.trim_end());
                    text.push_str(close.trim_start());
                } else {
                    text.push_str(open);
                    write(group.stream(), text);
                    text.push_str(close);
                }
                last = Last::Group;
            }
            TokenTree::Punct(first) => {
                let mut sign = first.as_char().to_string();
                let mut spacing = first.spacing();
                while spacing == Spacing::Joint && first.as_char() != '\'' {
                    let Some(TokenTree::Punct(next)) = tokens.peek() else { break };
                    sign.push(next.as_char());
                    spacing = next.spacing();
                    tokens.next();
                }
                last = write_punct(&sign, last, text);
            }
            word => {
                if !matches!(last, Last::Start | Last::Tight) {
                    text.push(' ');
                }
                let word = word.to_string();
                text.push_str(&word);
                last = if BEFORE_VALUES.contains(&word.as_str()) { Last::Punct } else { Last::Word };
            }
        }
    }
}

fn write_punct(sign: &str, last: Last, text: &mut String) -> Last {
    match sign {
        "," | ";" | ":" => {
            text.push_str(sign);
            Last::Comma
        }
        "." | "::" | ".." | "..=" | "?" => {
            if last == Last::Comma || (last == Last::Punct && sign != "?") {
                text.push(' ');
            }
            text.push_str(sign);
            if sign == "?" { Last::Group } else { Last::Tight }
        }
        "&" | "*" | "-" | "!" | "'" | "#" if last != Last::Word && last != Last::Group => {
            if !matches!(last, Last::Start | Last::Tight) {
                text.push(' ');
            }
            text.push_str(sign);
            Last::Tight
        }
        "'" => {
            text.push_str(" '");
            Last::Tight
        }
        "!" => {
            text.push('!');
            Last::Group
        }
        _ => {
            if !matches!(last, Last::Start | Last::Tight) {
                text.push(' ');
            }
            text.push_str(sign);
            Last::Punct
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn types_are_tight() {
        for text in [
            "Option<String>",
            "(Vec<u64>, u64)",
            "Result<Vec<Option<u8>>, Box<dyn Error + Send>>",
            "<Order as Stored>::Id",
            "HashMap<&'static str, [u8; 4]>",
            "Box<dyn Fn(u8) -> Vec<u8>>",
        ] {
            assert_eq!(written_type(&syn::parse_str(text).expect(text)), text);
        }
    }

    #[test]
    fn spaces_as_a_person_would() {
        for text in [
            "on_ok(Charge::Captured(receipt))",
            "on_ok(Order { id, lines: [first, ..], .. }) if id.total() > 10",
            "on_err(PaymentError::Fraud(why), order)",
            "on_failure(f) if matches!(f.cause, Cause::TimedOut(_))",
            "on_ok(x @ 3..=5) if !x.is_empty() && a == b - 1",
            "on_ok(&x) if f(&x, -1)?",
            "on_ok",
            "on_ok(())",
            "on_ok(Some(a) | Other(a))",
            "A -> B",
        ] {
            let tokens: TokenStream = text.parse().expect(text);
            assert_eq!(written(tokens), text);
        }
    }
}
