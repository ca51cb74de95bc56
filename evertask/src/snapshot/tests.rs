#![allow(clippy::unwrap_used)]

use super::*;

const SHOP: &str = "\
format 1

task charge_card
    field order: Order
    field note: Option<String>
    on_ok => archive

task ship_order
    field to: Address

task send_email
    field to: String

workflow FulfilOrder
    version 1
    timeout 604800s
    promises Delivery
    field 0: PlaceOrder
    starts validate
    join close = (each ship, mail)
    step charge
        does task charge_card
        on_ok => approval
        undo(r) => refund
    step approval
        does wait Approval
        for 3d
        on_ok => each ship limit 4
        on_ok => mail
    step close
        does task close_order
    step mail
        does task send_email
        on_ok => join close
    step refund
        does task send_email
    step ship
        does task ship_order
        reads charge, input
        on_ok => join close
    step validate
        does workflow Validate
        on_ok => charge
";

/// What has changed, once these parts of the shop have.
fn shop(parts: &[(&str, &str)]) -> Changes {
    let mut text = SHOP.to_owned();
    for (old, new) in parts {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    compare(SHOP, &text).unwrap()
}

/// What breaks, and what does not.
fn said(changes: &Changes) -> (Vec<&str>, Vec<&str>) {
    (
        changes.breaking.iter().map(|change| &*change.what).collect(),
        changes.harmless.iter().map(|change| &*change.what).collect(),
    )
}

#[track_caller]
fn breaks(parts: &[(&str, &str)], expected: &[&str]) {
    let changes = shop(parts);
    assert_eq!(said(&changes).0, expected, "{changes}");
}

#[track_caller]
fn is_harmless(parts: &[(&str, &str)], expected: &[&str]) {
    let changes = shop(parts);
    assert_eq!(said(&changes), (Vec::new(), expected.to_vec()), "{changes}");
}

#[test]
fn the_same_is_the_same() {
    assert!(compare(SHOP, &SHOP.replace('\n', "\r\n")).unwrap().is_empty());
    let written = SHOP.parse::<Shape>().unwrap().to_string();
    assert!(compare(SHOP, &written).unwrap().is_empty());
    assert_eq!(written.parse::<Shape>().unwrap().to_string(), written, "it is read as it is written");
}

#[test]
fn a_name_that_is_gone_strands_what_waits() {
    breaks(&[("\ntask ship_order\n", "\ntask deliver\n")], &["it is gone"]);
    breaks(&[("workflow FulfilOrder", "workflow Fulfil")], &["it is gone"]);
    breaks(&[("step charge\n", "step pay\n"), ("=> charge\n", "=> pay\n")], &["the step `charge` is gone"]);
}

#[test]
fn a_name_that_is_kept_with_was_does_not() {
    let renames = [
        ("\ntask ship_order\n", "\ntask deliver\n    was ship_order\n"),
        ("does task ship_order\n", "does task deliver\n"),
    ];
    is_harmless(&renames, &["it is `deliver` now, and was `ship_order`"]);
    is_harmless(
        &[("workflow FulfilOrder\n", "workflow Fulfil\n    was FulfilOrder\n")],
        &["it is `Fulfil` now, and was `FulfilOrder`"],
    );
    let renames = [("step ship\n", "step deliver\n        was ship\n"), ("each ship,", "each deliver,")];
    is_harmless(&renames, &["the step `ship` is `deliver` now, and was `ship`"]);
    let renames = [("step close\n", "step finish\n        was close\n"), ("join close =", "join finish =")];
    is_harmless(&renames, &["the step `close` is `finish` now, and was `close`"]);
}

#[test]
fn a_likely_new_name_is_said() {
    let changes = shop(&[("step charge\n", "step pay\n")]);
    assert_eq!(changes.breaking[0].instead[0], "if it is `pay` now, say `#[step(was = \"charge\")]` there");
    let changes = shop(&[("\ntask ship_order\n", "\ntask deliver\n")]);
    assert_eq!(changes.breaking[0].instead[0], "if it is `deliver` now, say `#[task(was = \"ship_order\")]` there");
}

#[test]
fn an_earlier_name_is_kept_until_nothing_of_it_is_left() {
    let before = SHOP.replace("\ntask ship_order\n", "\ntask ship_order\n    was send\n");
    let changes = compare(&before, SHOP).unwrap();
    assert_eq!(said(&changes).0, ["it is not known as `send` any more"]);
    assert!(compare(SHOP, &before).unwrap().breaking.is_empty());
}

#[test]
fn a_field_is_read_or_it_breaks() {
    let field = "    field to: Address\n";
    let with = |more: &str| format!("{field}    field {more}\n");
    let new = "the field `fast` is new, and neither optional nor defaulted";
    breaks(&[(field, &with("fast: bool"))], &[new]);
    for more in [
        "fast: Option<bool>",
        "fast: ::std::option::Option<bool>",
        "fast: bool #[serde(default)]",
        "fast: bool #[serde(default = \"yes\")]",
    ] {
        is_harmless(&[(field, &with(more))], &["the field `fast` is new"]);
    }
    is_harmless(
        &[(field, &format!("    serde(default)\n{}", with("fast: bool")))],
        &["serde is told `default` of the payload, and was told `nothing`", "the field `fast` is new"],
    );
    is_harmless(&[(field, "")], &["the field `to` is gone"]);
    is_harmless(
        &[(field, "    field to: Option<Address>\n")],
        &["the field `to` is a `Option<Address>`, and was a `Address`"],
    );
    breaks(&[(field, "    field to: Place\n")], &["the field `to` is a `Place`, and was a `Address`"]);
    breaks(
        &[("note: Option<String>", "note: String")],
        &["the field `note` is a `String`, and was a `Option<String>`"],
    );
    breaks(&[(field, "    serde(deny_unknown_fields)\n")], &["the field `to` is gone, and unknown fields are denied"]);
}

#[test]
fn a_field_has_the_name_that_serde_gives_it() {
    let field = "    field to: Address\n";
    let changes = shop(&[(field, "    field at: Address\n")]);
    assert_eq!(
        changes.breaking[0].instead[0],
        "if it is `to` by a new name, say `#[serde(alias = \"to\")]`, on a struct"
    );
    is_harmless(
        &[(field, "    field at: Address #[serde(default, alias = \"to\")]\n")],
        &[
            "the field `to` is `at` now",
            "serde is told `default, alias = \"to\"` of the field `at`, and was told `nothing`",
        ],
    );
    breaks(
        &[(field, "    serde(rename_all = \"camelCase\")\n    field to: Address\n")],
        &["serde is told `#[serde(rename_all = \"camelCase\")]` of the payload, and was told nothing"],
    );
    breaks(
        &[(field, "    field to: Address #[serde(with = \"short\")]\n")],
        &["serde is told `#[serde(with = \"short\")]` of the field `to`, and was told nothing"],
    );
}

#[test]
fn a_tuple_is_read_by_place() {
    let field = "    field to: Address\n";
    let two = "    field 0: Address\n    field 1: bool\n";
    breaks(&[(field, two)], &["the payload is `(Address, bool)`, and was `(to: Address)`"]);
    breaks(&[("field 0: PlaceOrder", "field 0: Basket")], &["the payload is a `Basket`, and was a `PlaceOrder`"]);
}

#[test]
fn a_step_that_does_something_else_is_given_the_wrong_payload() {
    breaks(
        &[("does task send_email\n        on_ok", "does task send_sms\n        on_ok")],
        &["the step `mail` runs the task `send_sms`, and ran `send_email`"],
    );
    breaks(
        &[("does wait Approval", "does wait Consent")],
        &["the step `approval` waits for a `Consent`, and waited for a `Approval`"],
    );
    breaks(
        &[("does workflow Validate", "does task validate")],
        &["the step `validate` is `task validate`, and was `workflow Validate`"],
    );
}

#[test]
fn a_promise_is_kept() {
    breaks(&[("promises Delivery", "promises Receipt")], &["it promises `Receipt`, and promised `Delivery`"]);
    breaks(&[("    promises Delivery\n", "")], &["it promises `()`, and promised `Delivery`"]);
    let before = SHOP.replace("    promises Delivery\n", "");
    assert_eq!(said(&compare(&before, SHOP).unwrap()).0, ["it promises `Delivery`, and promised `()`"]);
}

#[test]
fn a_join_has_the_members_that_it_had() {
    let join = "join close = (each ship, mail)";
    breaks(
        &[(join, "join close = (mail, each ship)")],
        &["the join to `close` is of (`mail`, `each ship`), and was of (`each ship`, `mail`)"],
    );
    breaks(
        &[(join, "join close = (ship, mail)")],
        &["the join to `close` is of (`ship`, `mail`), and was of (`each ship`, `mail`)"],
    );
    breaks(
        &[(join, "join close = all settled (each ship, mail)")],
        &["the join to `close` gives `Result`s, and gave outputs"],
    );
    breaks(
        &[(join, "join refund = (each ship, mail)")],
        &["the join (`each ship`, `mail`) leads to `refund`, and led to `close`"],
    );
    breaks(&[("    join close = (each ship, mail)\n", "")], &["the join (`each ship`, `mail`) to `close` is gone"]);
    breaks(
        &[(join, "join close = (each ship, mail)\n    join refund = (charge, approval)")],
        &["the join (`charge`, `approval`) to `refund` is new"],
    );
    let new = "    step a\n        does task send_email\n    step b\n        does task send_email\n    step close\n";
    is_harmless(
        &[("    step close\n", new), (join, "join close = (each ship, mail)\n    join refund = (a, b)")],
        &["the join (`a`, `b`) to `refund` is new", "the step `a` is new", "the step `b` is new"],
    );
}

#[test]
fn an_output_that_no_run_has_is_not_read() {
    let new = "    step check\n        does task send_email\n    step close\n";
    breaks(
        &[("    step close\n", new), ("reads charge, input", "reads charge, check, input")],
        &["the step `ship` reads the output of `check`, which is new"],
    );
    is_harmless(&[("reads charge, input", "reads charge, validate, input")], &[]);
}

#[test]
fn what_a_run_keeps_or_asks_anew_is_harmless() {
    is_harmless(
        &[("limit 4", "limit 8")],
        &["the arms of `approval`:\n        - on_ok => each ship limit 4\n        + on_ok => each ship limit 8"],
    );
    is_harmless(&[("for 3d", "for 9d")], &["the step `approval` waits 9d, and waited 3d"]);
    is_harmless(&[("version 1", "version 2")], &["its version is 2, and was 1"]);
    is_harmless(&[("timeout 604800s", "timeout 1s")], &["a run may take 1s, and might take 604800s"]);
    is_harmless(&[("starts validate", "starts charge")], &["a run starts with `charge`, and not with `validate`"]);
    is_harmless(
        &[("on_ok => archive", "on_ok => keep")],
        &["its arms:\n        - on_ok => archive\n        + on_ok => keep"],
    );
}

#[test]
fn a_file_that_is_no_lock_file_is_refused_with_its_line() {
    let conflict = SHOP.replace("    field to: String\n", "<<<<<<< HEAD\n");
    assert_eq!(compare(&conflict, SHOP).unwrap_err().text, "<<<<<<< HEAD");
    for text in ["", "format 2\n", "task a\n", "format 1\ntask a\n    what is this\n", "format 1\n    field a: b\n"] {
        assert!(compare(text, SHOP).is_err(), "{text:?}");
    }
}

#[test]
fn the_file_is_written_once_and_never_silently() {
    let decide = |locked, accepts, in_ci| decide("w.lock", locked, SHOP, accepts, in_ci);
    assert_eq!(decide(None, false, false), Decision::Write);
    assert_eq!(decide(None, true, true), Decision::Write);
    assert!(matches!(decide(None, false, true), Decision::Fail(why) if why.contains("commit it")));
    assert_eq!(decide(Some(SHOP), false, true), Decision::Same);
    let older = SHOP.replace("version 1", "version 0");
    assert!(
        matches!(decide(Some(&older), false, false), Decision::Fail(why) if why.contains("nothing in flight is affected"))
    );
    assert_eq!(decide(Some(&older), true, false), Decision::Write);
    assert!(matches!(decide(Some("<<<"), false, false), Decision::Fail(why) if why.contains("line 1")));
    assert!(
        matches!(super::decide("w.lock", Some(SHOP), "format 1\n", true, false), Decision::Fail(why) if why.contains("no task"))
    );
}
