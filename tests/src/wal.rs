//! SQLite's write-ahead log, frame by frame: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

/// The bytes before the first frame.
const HEADER: usize = 32;
/// The bytes before a frame's page.
const FRAME_HEADER: usize = 24;

/// The lengths at which the log ends with a whole transaction: those of its commit frames.
///
/// A frame of an older generation of the log, by its salt, ends it.
pub fn commits(log: &[u8]) -> Vec<usize> {
    let Some(header) = log.get(..HEADER) else { return Vec::new() };
    let page = number(header, 8);
    let salt = &header[16..24];
    let mut commits = Vec::new();
    let mut at = HEADER;
    while let Some(frame) = log.get(at..at + FRAME_HEADER + page) {
        if frame[8..16] != *salt {
            break;
        }
        at += FRAME_HEADER + page;
        if number(frame, 4) != 0 {
            commits.push(at);
        }
    }
    commits
}

fn number(bytes: &[u8], at: usize) -> usize {
    let number: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
    u32::from_be_bytes(number).try_into().unwrap()
}
