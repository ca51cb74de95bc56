//! What the runtime crate is called where the macro is used.

use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};

/// The path to the runtime crate.
#[derive(Clone)]
pub(crate) struct Krate(TokenStream);

impl Krate {
    /// As an option `crate = path` says.
    pub(crate) fn given(path: &syn::Path) -> Self {
        Self(path.to_token_stream())
    }

    /// As the manifest of the crate that is compiled says, or `::evertask`.
    pub(crate) fn found() -> Self {
        let name = std::env::var_os("CARGO_MANIFEST_DIR")
            .and_then(|folder| renamed(Path::new(&folder)))
            .unwrap_or_else(|| "evertask".to_owned());
        let name = match syn::parse_str::<syn::Ident>(&name.replace('-', "_")) {
            Ok(name) => syn::Ident::new(&name.to_string(), Span::mixed_site()),
            Err(_) => syn::Ident::new("evertask", Span::mixed_site()),
        };
        Self(quote!(::#name))
    }

    /// The path, pointing at this place, so that what the compiler says of it is said there.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        respan(self.0.clone(), span)
    }

    /// The part that only generated code may touch.
    pub(crate) fn private(&self, span: Span) -> TokenStream {
        let krate = self.at(span);
        let private = syn::Ident::new("__private", span);
        quote::quote_spanned!(span=> #krate::#private)
    }
}

impl ToTokens for Krate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

/// The same tokens at another place.
pub(crate) fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let TokenTree::Group(group) = &token {
                let mut moved = proc_macro2::Group::new(group.delimiter(), respan(group.stream(), span));
                moved.set_span(span);
                return TokenTree::Group(moved);
            }
            token.set_span(span);
            token
        })
        .collect()
}

/// The key of the dependency with `package = "evertask"`, if it was renamed.
fn renamed(folder: &Path) -> Option<String> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    match look_up(&manifest, "") {
        Found::Plain => None,
        Found::Renamed(key) => Some(key),
        Found::Inherited(keys) => {
            let workspace = workspace_manifest(folder)?;
            keys.into_iter().find(|key| is_package(&workspace, "workspace.", key))
        }
    }
}

/// The manifest of the workspace, in this folder or above.
fn workspace_manifest(folder: &Path) -> Option<String> {
    let mut folder: Option<PathBuf> = Some(folder.to_owned());
    while let Some(at) = folder {
        if let Ok(manifest) = std::fs::read_to_string(at.join("Cargo.toml"))
            && manifest.lines().any(|line| line.trim_start().starts_with("[workspace"))
        {
            return Some(manifest);
        }
        folder = at.parent().map(Path::to_owned);
    }
    None
}

#[derive(Debug, PartialEq)]
enum Found {
    /// Under its own name, or not at all.
    Plain,
    Renamed(String),
    /// It may be one of these, which the workspace knows.
    Inherited(Vec<String>),
}

/// Looks for the dependency in a manifest.
fn look_up(manifest: &str, prefix: &str) -> Found {
    let mut inherited = Vec::new();
    for (key, value) in dependencies(manifest, prefix) {
        if is_evertask(&value) {
            return if key == "evertask" { Found::Plain } else { Found::Renamed(key) };
        }
        if key == "evertask" && !value.contains("package") {
            return Found::Plain;
        }
        if value.replace(' ', "").contains("workspace=true") {
            inherited.push(key);
        }
    }
    if inherited.is_empty() { Found::Plain } else { Found::Inherited(inherited) }
}

fn is_package(manifest: &str, prefix: &str, wanted: &str) -> bool {
    dependencies(manifest, prefix).iter().any(|(key, value)| key == wanted && is_evertask(value))
}

fn is_evertask(value: &str) -> bool {
    value.replace([' ', '\''], "").replace('"', "").split([',', '{', '}', ';']).any(|part| part == "package=evertask")
}

/// Each dependency's key and what is said of it, on one line. Enough of TOML for that, and no more.
fn dependencies(manifest: &str, prefix: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    // Within a table of dependencies; or within the table of the last one found.
    let (mut in_table, mut in_dependency) = (false, false);
    for line in manifest.lines() {
        let line = without_comment(line).trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']').trim_matches('[');
            (in_table, in_dependency) = (false, false);
            match section(header, prefix) {
                Some(Section::All) => in_table = true,
                Some(Section::One(key)) => {
                    found.push((key, String::new()));
                    in_dependency = true;
                }
                None => {}
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim().trim_matches(['"', '\'']);
            if in_dependency {
                if let Some((_, said)) = found.last_mut() {
                    said.extend([key, " = ", value, ";"]);
                }
            } else if in_table {
                match key.split_once('.') {
                    Some((key, field)) => found.push((key.trim().to_owned(), format!("{field} = {value};"))),
                    None => found.push((key.to_owned(), value.to_owned())),
                }
            }
        } else if in_table && let Some((_, said)) = found.last_mut() {
            said.push_str(line);
        }
    }
    found
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, letter) in line.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

/// A table of dependencies.
enum Section {
    /// Each line is one.
    All,
    /// Of one alone.
    One(String),
}

/// Which table of dependencies this is the header of.
fn section(header: &str, prefix: &str) -> Option<Section> {
    let header = if prefix.is_empty() {
        match header.strip_prefix("target.") {
            Some(target) => target.rsplit_once("'.").or_else(|| target.split_once('.'))?.1,
            None => header,
        }
    } else {
        header.strip_prefix(prefix)?
    };
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        if header == kind {
            return Some(Section::All);
        }
        if let Some(key) = header.strip_prefix(kind).and_then(|rest| rest.strip_prefix('.')) {
            return Some(Section::One(key.trim_matches(['"', '\'']).to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed_to(key: &str) -> Found {
        Found::Renamed(key.to_owned())
    }

    #[test]
    fn finds_a_renamed_dependency_however_it_is_written() {
        for manifest in [
            "[dependencies]\net = { package = \"evertask\", version = \"0.1\" } # ours",
            "[dependencies]\nserde = \"1\"\net = { version = \"0.1\", package = 'evertask' }",
            "[dev-dependencies.et]\nversion = \"0.1\"\npackage = \"evertask\"",
            "[target.'cfg(unix)'.dependencies]\net = { package = \"evertask\" }",
            "[dependencies]\net.package = \"evertask\"",
        ] {
            assert_eq!(look_up(manifest, ""), renamed_to("et"), "{manifest}");
        }
    }

    #[test]
    fn its_own_name_is_the_default() {
        for manifest in [
            "",
            "[dependencies]\nevertask = \"0.1\"",
            "[package]\nname = \"x\"\n[dependencies]\nevertask = { workspace = true }",
            "[dependencies]\net = { package = \"evertask-cli\" }",
        ] {
            assert_eq!(look_up(manifest, ""), Found::Plain, "{manifest}");
        }
    }

    #[test]
    fn asks_the_workspace() {
        let member = "[dependencies]\nserde.workspace = true\net = { workspace = true }";
        assert_eq!(look_up(member, ""), Found::Inherited(vec!["serde".into(), "et".into()]));
        let workspace = "[workspace.dependencies]\net = { package = \"evertask\", path = \"..\" }";
        assert!(is_package(workspace, "workspace.", "et"));
        assert!(!is_package(workspace, "workspace.", "serde"));
    }
}
