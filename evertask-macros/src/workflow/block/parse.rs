//! Reads a block. A mistake in one step does not hide those in the next.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseBuffer, ParseStream, Parser as _};
use syn::{Attribute, LitStr, Path, Token, Type, Visibility, token};

use super::statements::{join, wait};
use crate::arms::parse::{Place, arms};
use crate::arms::{Arm, last_word};
use crate::errors::Errors;
use crate::messages;
use crate::options::{Among, entries};
use crate::workflow::options::{self, Options};

/// What was read.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// All but `#[workflow(..)]`.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) options: Options,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    pub(crate) input: Type,
    pub(crate) output: Option<Type>,
    pub(crate) steps: Vec<Step>,
    pub(crate) joins: Vec<Join>,
    /// Whether something could not be read, so that rules on the whole would see only a part.
    pub(crate) partial: bool,
}

/// One step with arms.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: Ident,
    pub(crate) does: Does,
    pub(crate) arms: Vec<Arm<Path>>,
    /// Names that it had before.
    pub(crate) was: Vec<LitStr>,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Does {
    /// It runs a task or a workflow.
    Work { path: Path, is_alias: bool },
    /// It waits for a value from outside.
    Wait { word: Ident, of: Box<Type>, patience: Option<LitStr> },
}

/// `join (a, each b) => c;`
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) word: Ident,
    pub(crate) settled: bool,
    pub(crate) members: Vec<Member>,
    pub(crate) then: Path,
}

/// A member of a join, as it is named.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) is_each: bool,
    pub(crate) word: Ident,
}

/// Reads the block. `None` when there is not even a header.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Option<Parsed> {
    let mut read = None;
    let parsed = (|input: ParseStream<'_>| {
        read = Some(header_and_steps(input, errors));
        while input.parse::<TokenTree>().is_ok() {}
        Ok(())
    })
    .parse2(tokens);
    errors.left_over(parsed);
    match read? {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            errors.push(error);
            None
        }
    }
}

fn header_and_steps(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Parsed> {
    let mut attributes = input.call(Attribute::parse_outer)?;
    let options = take_options(&mut attributes, errors);
    let visibility = input.parse()?;
    let name: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), messages::HEADER))?;
    if !input.peek(Token![<]) {
        return Err(syn::Error::new(name.span(), messages::header_types(&name.to_string())));
    }
    input.parse::<Token![<]>()?;
    let takes = input.parse()?;
    let mut output = None;
    if input.parse::<Option<Token![->]>>()?.is_some() {
        output = Some(input.parse()?);
    }
    input.parse::<Token![>]>()?;
    let known_before = errors.count();
    let (mut steps, mut joins) = (Vec::new(), Vec::new());
    if input.peek(token::Brace) {
        let inner: ParseBuffer<'_>;
        syn::braced!(inner in input);
        read_steps(&inner, &mut steps, &mut joins, errors);
    } else {
        errors.push(input.error(messages::step_braces(&name.to_string())));
    }
    if !input.is_empty() {
        errors.push(input.error(messages::ONE_WORKFLOW));
    }
    let partial = errors.count() > known_before;
    Ok(Parsed { attributes, options, visibility, name, input: takes, output, steps, joins, partial })
}

/// What `#[workflow(..)]` says; the other attributes stay.
fn take_options(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> Options {
    let mut given = Vec::new();
    attributes.retain(|attribute| {
        let is_ours = attribute.path().is_ident("workflow");
        if is_ours && let syn::Meta::List(list) = &attribute.meta {
            let parsed = (|input: ParseStream<'_>| {
                let read = entries(input, Among::Nothing, errors);
                given.extend(read.options);
                Ok(())
            })
            .parse2(list.tokens.clone());
            errors.left_over(parsed);
        }
        !is_ours
    });
    options::read(&given, errors)
}

fn read_steps(input: ParseStream<'_>, steps: &mut Vec<Step>, joins: &mut Vec<Join>, errors: &mut Errors) {
    while !input.is_empty() {
        if input.peek(Token![,]) || input.peek(Token![;]) {
            drop(input.parse::<TokenTree>());
            continue;
        }
        match statement(input, errors) {
            Ok(Statement::Step(step)) => steps.push(step),
            Ok(Statement::Join(join)) => joins.push(join),
            Err(error) => {
                errors.push(error);
                skip_step(input);
            }
        }
    }
}

/// Goes on behind the next braces or semicolon.
fn skip_step(input: ParseStream<'_>) {
    while !input.is_empty() {
        match input.parse::<TokenTree>() {
            Ok(TokenTree::Group(group)) if group.delimiter() == proc_macro2::Delimiter::Brace => return,
            Ok(TokenTree::Punct(punct)) if punct.as_char() == ';' => return,
            _ => {}
        }
    }
}

enum Statement {
    Step(Step),
    Join(Join),
}

fn statement(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Statement> {
    let attributes = input.call(Attribute::parse_outer)?;
    let was = step_attributes(&attributes, errors);
    let ahead = input.fork();
    let word = ahead.call(Ident::parse_any).map(|word| word.to_string()).unwrap_or_default();
    let is_a_name = ahead.peek(token::Brace) || ahead.peek(Token![=]) || ahead.peek(Token![::]);
    match word.as_str() {
        "join" if !is_a_name => join(input).map(Statement::Join),
        "wait" if !is_a_name => {
            let (name, does) = wait(input)?;
            let arms = block_of(input, &name, errors)?;
            Ok(Statement::Step(Step { name, does, arms, was }))
        }
        _ => step(input, was, errors).map(Statement::Step),
    }
}

/// The names that a step had before.
fn step_attributes(attributes: &[Attribute], errors: &mut Errors) -> Vec<LitStr> {
    let mut was = Vec::new();
    for attribute in attributes.iter().filter(|attribute| !attribute.path().is_ident("doc")) {
        let syn::Meta::List(list) = &attribute.meta else {
            errors.at(attribute, messages::STEP_ATTRIBUTE);
            continue;
        };
        if !attribute.path().is_ident("step") {
            errors.at(attribute, messages::STEP_ATTRIBUTE);
            continue;
        }
        let mut given = Vec::new();
        let parsed = (|input: ParseStream<'_>| {
            given = entries(input, Among::Nothing, errors).options;
            Ok(())
        })
        .parse2(list.tokens.clone());
        errors.left_over(parsed);
        for given in given {
            if given.name == "was" {
                was.extend(given.texts("was = \"charge\"", errors));
            } else {
                errors.at(&given.name, messages::unknown_step_option(&given.name.to_string()));
            }
        }
    }
    was
}

fn step(input: ParseStream<'_>, was: Vec<LitStr>, errors: &mut Errors) -> syn::Result<Step> {
    let path = input.call(Path::parse_mod_style).map_err(|error| syn::Error::new(error.span(), messages::STEP))?;
    let name = last_word(&path);
    let does = if input.peek(Token![=]) && !input.peek(Token![=>]) {
        if path.get_ident().is_none() {
            return Err(syn::Error::new_spanned(path, messages::ALIAS_NAME));
        }
        input.parse::<Token![=]>()?;
        Does::Work { path: input.call(Path::parse_mod_style)?, is_alias: true }
    } else {
        Does::Work { path, is_alias: false }
    };
    let arms = block_of(input, &name, errors)?;
    Ok(Step { name, does, arms, was })
}

/// The arms of a step, in braces.
fn block_of(input: ParseStream<'_>, name: &Ident, errors: &mut Errors) -> syn::Result<Vec<Arm<Path>>> {
    if !input.peek(token::Brace) {
        return Err(syn::Error::new(name.span(), messages::step_braces(&name.to_string())));
    }
    let inner: ParseBuffer<'_>;
    syn::braced!(inner in input);
    Ok(arms(&inner, Place::Block, errors))
}
