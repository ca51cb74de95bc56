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
        "deadline = \"1h\", rate_limit(\"100/s\"), concurrency(3)",
        "rate_limit(\"5/m\", key = order.customer, burst = 2), concurrency(1, key = format!(\"{}\", order.id))",
        "on_ok => ship::order, on_err(e) => [alert { e }, log(e)] after \"10m\", derive(Debug, Clone), crate = ::other",
        "retry(backoff = list(\"1s\", \"5s\")), schedule(\"0 3 * * *\", payload = order())",
        "schedule(\"0 3 * * *\", zone = \"UTC\", misfire = skip, jitter = \"1s\", grace = \"1s\", max_runs = 1, except = \"SUN\", \
         starting = NOW, until = later(), payload = 3)",
        "schedule(every(\"15m\").jitter(\"1s\"), payload = 3)",
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
        ("cron = \"a\"", "unknown option `cron`; did you mean `schedule`?"),
        ("tags = \"a\"", "unknown option `tags`"),
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
        ("retry(times = 3, backoff = list(\"1s\"))", crate::messages::LIST_SAYS_TIMES),
        ("retry(backoff = list())", crate::messages::EMPTY_LIST_OF_PAUSES),
        ("retry(backoff = list(\"1s\", max = \"2s\"))", crate::messages::NOT_A_DURATION),
        (
            "schedule",
            "`schedule` is a cron expression, as in `schedule = \"0 3 * * *\"`, or what gives a schedule, as in `schedule = every(\"15m\")`",
        ),
        (
            "schedule(\"0 3 * * *\", payload = 3, zone = \"Europe/Berln\")",
            "there is no time zone `Europe/Berln`; did you mean `Europe/Berlin`?",
        ),
        (
            "schedule(\"0 3 * * *\", payload = 3, zone = \"tokyo\")",
            "there is no time zone `tokyo`; did you mean `Asia/Tokyo`?",
        ),
        ("schedule(\"0 3 * * *\", payload = 3, misfire = all)", crate::messages::MISFIRE),
        ("schedule(\"0 3 * * *\", payload = 3, misfire = catch_up(1, 2))", crate::messages::MISFIRE),
        ("schedule(\"0 3 * * *\", payload)", "`payload` is what each run is given, as in `payload = 3`"),
        (
            "schedule(\"0 3 * * *\", payload = 3, max_runs = 0)",
            "`max_runs` is a whole number from 1, as in `max_runs = 10`",
        ),
        ("schedule(\"0 3 * * *\", paylod = 3)", "unknown option `paylod` of `schedule`; did you mean `payload`?"),
        (
            "schedule = \"90m\"",
            "`90m` is no cron expression; for an interval, write `every(\"90m\")`, with `use evertask::every;`",
        ),
        (
            "schedule(every(\"90m\"), payload = 3, zone = \"Europe/Berlin\")",
            "an expression says `zone` of itself, as in `every_day().in_zone(..)`; only `payload` is beside it",
        ),
        ("schedule = \"0 3 * * *\"", "`charge` takes `order`, and its schedule gives it nothing"),
        ("retry(times = 3, backoff = linaer(\"1s\"))", "unknown backoff `linaer`; did you mean `linear`?"),
        ("deadline = 3", crate::messages::NOT_A_DURATION),
        ("rate_limit = \"5/s\"", "`rate_limit` is a list, as in `rate_limit(\"100/s\", key = tenant, burst = 10)`"),
        ("rate_limit()", crate::messages::RATE_FIRST),
        ("rate_limit(key = order)", crate::messages::RATE_FIRST),
        ("rate_limit(\"5/s\", kye = order)", "unknown option `kye` of `rate_limit`; did you mean `key`?"),
        ("rate_limit(\"5/s\", burst = 0)", "`burst` is a whole number from 1, as in `burst = 10`"),
        ("rate_limit(\"5/s\", key)", "`key` is a value of the payload, as in `key = tenant`"),
        ("concurrency(\"1\")", crate::messages::CONCURRENCY_FIRST),
        ("concurrency(0)", crate::messages::CONCURRENCY_FIRST),
        ("concurrency(1, burst = 3)", "unknown option `burst` of `concurrency`"),
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
