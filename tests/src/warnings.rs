//! What is said in warnings and errors, by whatever thread of this process.

use std::fmt::{Debug, Write as _};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on, every warning of this process is kept.
pub fn listen() {
    // Another test of this process listens already.
    let _ = tracing::subscriber::set_global_default(Listener);
}

/// The warnings that say this, so far.
pub fn that_say(words: &str) -> Vec<String> {
    HEARD.lock().unwrap().iter().filter(|said| said.contains(words)).cloned().collect()
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("evertask")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut said = Said(event.metadata().level().to_string());
        event.record(&mut said);
        HEARD.lock().unwrap().push(said.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let name = field.name();
        let _ = if name == "message" { write!(self.0, " {value:?}") } else { write!(self.0, " {name}={value:?}") };
    }
}
