//! Whatever a macro is given, it answers: with code, or with mistakes. It never panics.

mod grammar;
mod words;

use proc_macro2::TokenStream;
use proptest::prelude::*;

use words::WORDS;

fn soup() -> impl Strategy<Value = String> {
    let word = prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
    let words = prop::collection::vec(word, 0..8).prop_map(|words| words.join(" "));
    words.prop_recursive(3, 24, 4, |inner| {
        (prop::collection::vec(inner, 0..4), 0..4_usize).prop_map(|(parts, kind)| {
            let parts = parts.join(" ");
            match kind {
                0 => format!("({parts})"),
                1 => format!("[{parts}]"),
                2 => format!("{{ {parts} }}"),
                _ => parts,
            }
        })
    })
}

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_default()
}

/// Valid input with one token dropped or doubled: what an editor sends while somebody types.
fn bitten(tokens: TokenStream, bite: usize, double: bool, at: &mut usize) -> TokenStream {
    let mut bitten_tokens = TokenStream::new();
    for token in tokens {
        let here = *at == bite;
        *at += 1;
        let token = match token {
            proc_macro2::TokenTree::Group(group) => {
                let inner = bitten(group.stream(), bite, double, at);
                proc_macro2::Group::new(group.delimiter(), inner).into()
            }
            other => other,
        };
        if !here || double {
            bitten_tokens.extend([token.clone()]);
        }
        if here && double {
            bitten_tokens.extend([token]);
        }
    }
    bitten_tokens
}

const OPTIONS: &str = "queue = \"a\", retry(times = 5, backoff = exponential(\"1s\", max = \"5m\")), retry_if = E::x, \
    on_ok(A::B(x), In { y }) if x > 3 => [Next { x }, other(x), third] after \"10m\", on_err => Alert, start => A";
const FUNCTION: &str = "/// docs\n pub async fn f(a: A, b: &dyn B, cx: &Context) -> Result<A, E> { body }";
const STRUCT: &str = "#[derive(X)] pub struct S(pub A, pub B);";
const BLOCK: &str = "/// docs\n #[workflow(version = 2, timeout = \"7d\")] pub W<In -> Out> { \
    a { on_ok(X(y)) if y => [b { y }, done(y)], on_ok(_) => f, on_err(E::Z(z), In { i }) => fail(z), \
    on_timeout => c after \"1m\" limit 3, on_failure(f) => [c, fail], on_cancel => a after \"1d\", undo(v) => u(v) } \
    #[step(was = \"bb\")] b = m::b { on_ok with a(p), input(q) => end, on_err => rollback } u {} c {} \
    f { on_ok(w) => [each g(w) limit 4, h after w.pause()] } join (each g, h) => j; \
    wait k<Yes> for \"3d\" { on_ok(Yes(y)) => done(y), on_timeout => fail(\"late\") } \
    j { on_ok((g, h)) => k } h { on_failure(f) => rollback } }";

fn expand_all(options: &TokenStream, item: &TokenStream) {
    let _ = crate::task::task(options.clone(), item);
    let _ = crate::workflow::attribute(options.clone(), item);
    let _ = crate::workflow::block(item.clone());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn soup_never_panics(options in soup(), item in soup()) {
        let (options, item) = (tokens(&options), tokens(&item));
        expand_all(&options, &item);
        expand_all(&options, &tokens(FUNCTION));
        expand_all(&options, &tokens(STRUCT));
    }

    #[test]
    fn steps_of_soup_never_panic(steps in soup()) {
        let _ = crate::workflow::block(tokens(&format!("pub W<In -> Out> {{ a {{ {steps} }} {steps} }}")));
    }

    #[test]
    fn blocks_expand_to_items_or_to_mistakes(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        let text = grammar::block(&bytes);
        let expanded = crate::workflow::block(tokens(&text));
        prop_assert!(syn::parse2::<syn::File>(expanded).is_ok(), "{}", text);
    }

    #[test]
    fn half_typed_input_never_panics(bite in 0..90_usize, double in any::<bool>()) {
        for (options, item) in [(OPTIONS, FUNCTION), (OPTIONS, STRUCT), ("", BLOCK)] {
            let options = bitten(tokens(options), bite, double, &mut 0);
            expand_all(&options, &tokens(item));
            let item = bitten(tokens(item), bite, double, &mut 0);
            expand_all(&tokens(OPTIONS), &item);
        }
    }
}

#[test]
fn good_input_expands_to_items() -> syn::Result<()> {
    let expanded = crate::workflow::block(tokens(BLOCK));
    assert!(!expanded.to_string().contains("compile_error"), "{expanded}");
    syn::parse2::<syn::File>(expanded)?;
    for item in [FUNCTION, STRUCT] {
        let options = OPTIONS.replace(", start => A", "");
        let expanded = crate::task::task(tokens(&options), &tokens(item));
        assert!(!expanded.to_string().contains("compile_error"), "{expanded}");
        syn::parse2::<syn::File>(expanded)?;
    }
    Ok(())
}
