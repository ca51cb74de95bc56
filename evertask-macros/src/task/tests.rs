use proc_macro2::TokenStream;

use super::{check, model, parse};
use crate::errors::Errors;

/// What is said of `#[task(options)] item`, the first line of each.
fn mistakes(options: &str, item: &str) -> Vec<String> {
    let tokens = |text: &str| text.parse::<TokenStream>().unwrap_or_default();
    let mut errors = Errors::new();
    if let Some(parsed) = parse::parse(tokens(options), tokens(item), &mut errors) {
        check::check(&model::model(parsed), &mut errors);
    }
    errors.messages().iter().map(|message| message.lines().next().unwrap_or_default().to_owned()).collect()
}

const GOOD: &str =
    "pub async fn charge(order: Order, cards: &Cards, cx: &Context) -> Result<Receipt, Error> { todo!() }";

#[test]
fn accepts_what_the_language_has() {
    for options in [
        "",
        "queue = \"payments\", priority = -3, timeout = \"30s\"",
        "retry(times = 5)",
        "retry(times = 5, backoff = exponential(\"1s\", max = \"5m\")), retry_if = PaymentError::is_transient",
        "retry(times = 1, backoff = fixed(\"1s\"))",
        "on_ok => ship::order, on_err(e) => [alert { e }, log(e)] after \"10m\", derive(Debug, Clone), crate = ::other",
        "name = \"charge\", on_ok(A { x, .. }) if x > 3 => Next, on_ok(_) => Other,",
    ] {
        assert_eq!(mistakes(options, GOOD), [""; 0], "{options}");
    }
    for item in [
        "fn plain() -> io::Result<()> {}",
        "async fn f(mut a: u8, r#type: Option<Cow<'static, str>>, x: &dyn Mailer) -> Result<()> {}",
        "fn lent<'a>(x: &'a X, (a, b): &Pair, _: &Y) -> Result<(), E> { syntax that only the compiler knows }",
        "#[derive(Debug)] pub struct Send { to: String }",
        "struct Unit;",
        "pub(crate) struct Pair(u8, u8);",
    ] {
        assert_eq!(mistakes("", item), [""; 0], "{item}");
    }
    assert_eq!(mistakes("needs(Mailer, dyn Store), on_cancel => Undo", "struct Send;"), [""; 0]);
}

#[test]
fn says_what_is_wrong_with_an_option() {
    for (options, expected) in [
        ("queu = \"a\"", "unknown option `queu`; did you mean `queue`?"),
        ("cron = \"a\"", "unknown option `cron`"),
        ("queue = \"a\", queue = \"b\"", "`queue` is given twice"),
        ("queue", "`queue` is a text, as in `queue = \"payments\"`"),
        ("queue = 3", "`queue` is a text, as in `queue = \"payments\"`"),
        ("queue = \" \"", "`queue` is empty"),
        ("priority = 40_000", "`priority` is a whole number from -32768 to 32767, as in `priority = -3`"),
        ("priority = high", "`priority` is a whole number from -32768 to 32767, as in `priority = -3`"),
        ("timeout = 30", crate::messages::NOT_A_DURATION),
        ("retry()", crate::messages::RETRY_NEEDS_TIMES),
        ("retry(times = 3, times = 4)", "`times` is given twice"),
        ("retry(tmies = 3)", "unknown option `tmies` of `retry`; did you mean `times`?"),
        ("retry(times = 3, backoff = fixed(\"1s\", max = \"2s\"))", crate::messages::FIXED_HAS_NO_MAX),
        ("retry(times = 3, backoff = linear(\"1s\"))", crate::messages::BACKOFF_EXAMPLE),
        ("retry(times = 3, backoff = linaer(\"1s\"))", "unknown backoff `linaer`; did you mean `linear`?"),
        ("crate = \"other\"", "`crate` is a path, as in `crate = my_jobs::evertask`"),
        ("derive(Serialize)", "`Serialize` can't be derived: the payload of a task function is stored already"),
        ("needs(Mailer)", crate::messages::NEEDS_ON_A_FUNCTION),
        ("on_sucess => Next", "`on_sucess` is no outcome; did you mean `on_ok`?"),
        ("on_error => Next", "`on_error` is no outcome; did you mean `on_err`?"),
        ("undo => Next", "`undo` undoes a step of a run that fails, so it belongs in a `workflow!` block"),
        ("on_ok => each Next(x)", "`each` starts a step of a run for each item, so it belongs in a `workflow!` block"),
        ("on_err => rollback", "`rollback` fails a run, and undoes its steps, so it belongs in a `workflow!` block"),
        (
            "on_ok with a(b) => Next",
            "`with` takes what an earlier step of a run gave, so it belongs in a `workflow!` block",
        ),
        (
            "on_ok => Next limit 3",
            "`limit` counts how often a step of a run follows, so it belongs in a `workflow!` block",
        ),
        ("on_ok => done", "`done` sets the output of a run, so it belongs in a `workflow!` block"),
        ("on_ok => Next::<u8>", "a task has no type parameters"),
    ] {
        assert_eq!(mistakes(options, GOOD), [expected], "{options}");
    }
}

#[test]
fn says_what_is_wrong_with_the_item() {
    for (item, expected) in [
        ("fn f<T>(x: T) -> R {}", "a task can't be generic: it has one name and one payload on disk"),
        ("fn f(x: &str) -> R {}", "a task owns its payload, which is kept on disk; write `String`"),
        ("fn f(x: &[u8]) -> R {}", "a task owns its payload, which is kept on disk; write `Vec<u8>`"),
        ("fn f(x: &mut X) -> R {}", crate::messages::INJECTED_MUT),
        ("fn f(x: &'static X) -> R {}", crate::messages::INJECTED_LIFETIME),
        ("fn f(x: &X<'a>) -> R {}", crate::messages::INJECTED_LIFETIME),
        (
            "fn f(x: Cow<'_, str>) -> R {}",
            "a task owns its payload, which is kept on disk: it can't hold a reference or a lifetime",
        ),
        ("fn f(x: X) {}", "the task `f` must return a `Result`"),
        ("fn f(x: X) -> (u8, u8) {}", "the task `f` must return a `Result`"),
        ("fn f(&self) -> R {}", "a task function has no `self`"),
        ("fn f((a, b): X) -> R {}", crate::messages::PATTERN_ARGUMENT),
        ("fn f(x: impl X) -> R {}", crate::messages::IMPL_ARGUMENT),
        ("fn f() -> impl X {}", crate::messages::IMPL_RESULT),
        ("unsafe fn f() -> R {}", "a task can't be `unsafe fn`: the worker calls it as a plain function"),
        ("const fn f() -> R {}", "a task can't be `const fn`: the worker calls it as a plain function"),
        ("extern \"C\" fn f() -> R {}", "a task can't be `extern fn`: the worker calls it as a plain function"),
        ("enum E {}", "a task can't be an enum: it is a function or a struct"),
        ("pub union U { a: u8 }", "a task can't be a union: it is a function or a struct"),
        ("struct S<T>(T);", "a task can't be generic: it has one name and one payload on disk"),
        ("const X: u8 = 1;", "a task can't be a constant: it is a function or a struct"),
    ] {
        assert_eq!(mistakes("", item), [expected], "{item}");
    }
    assert_eq!(mistakes("derive(Debug)", "struct S;"), [crate::messages::DERIVE_ON_A_STRUCT]);
}

#[test]
fn reports_all_mistakes_at_once() {
    let found = mistakes("queu = \"a\", timeout = 3, on_ok => , on_okk => Next", "fn f<T>(x: &str) {}");
    assert_eq!(found.len(), 7, "{found:#?}");
}
