//! What the options of a workflow say.

use syn::{LitStr, Path};

use crate::errors::Errors;
use crate::messages;
use crate::options::Given;
use crate::schedule::{self, Schedule};

/// The options, read.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) was: Vec<LitStr>,
    pub(crate) version: Option<u32>,
    pub(crate) timeout: Option<LitStr>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) krate: Option<Path>,
}

const KNOWN: [&str; 6] = ["name", "was", "version", "timeout", "schedule", "crate"];

/// Reads the options, each in its own way.
pub(crate) fn read(given: &[Given], errors: &mut Errors) -> Options {
    let mut options = Options::default();
    for given in given {
        match given.name.to_string().as_str() {
            "name" => options.name = given.text("name = \"fulfil-order\"", errors),
            "was" => options.was = given.texts("was = \"Fulfil\"", errors),
            "version" => options.version = given.number("a whole number", "version = 2", errors),
            "timeout" => options.timeout = given.duration("timeout = \"7d\"", errors),
            "schedule" => options.schedule = schedule::read(given, errors),
            "crate" => options.krate = given.path("crate = my_jobs::evertask", errors),
            unknown => errors.at(&given.name, messages::unknown_option(unknown, &KNOWN)),
        }
    }
    options
}
