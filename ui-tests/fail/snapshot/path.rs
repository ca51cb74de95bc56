// A path that is no text.
const LOCK: &str = "workflows.lock";

evertask::snapshot!(LOCK);

fn main() {}
