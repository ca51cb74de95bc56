//! What handlers say they did, in a file of their own: no rolled-back transaction takes a line of it back.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use evertask::{Context, TaskId};
use tokio::sync::watch;

/// What a handler says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// It begins.
    Begin,
    /// It is about to return.
    End,
    /// It was told to stop.
    Told,
}

impl Word {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::End => "end",
            Self::Told => "told",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Begin, Self::End, Self::Told].into_iter().find(|known| known.as_str() == word)
    }
}

/// The file, as handlers write to it.
#[derive(Debug)]
pub struct Witness {
    file: File,
    marks: PathBuf,
    /// Whether each line goes to the standard output as well.
    echo: bool,
    begun: watch::Sender<u64>,
}

impl Witness {
    /// Opens it, or makes it. Marks are kept in a folder beside it.
    pub fn open(path: &Path, echo: bool) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let marks = path.with_extension("marks");
        std::fs::create_dir_all(&marks)?;
        Ok(Self { file, marks, echo, begun: watch::Sender::new(0) })
    }

    /// Adds a line, in one write, so that lines of several processes do not mix.
    pub fn say(&self, word: Word, cx: &Context) {
        let line = format!("{} {} {} {} {}\n", word.as_str(), cx.id(), cx.attempt(), std::process::id(), cx.name());
        (&self.file).write_all(line.as_bytes()).unwrap();
        if self.echo {
            print!("{line}");
        }
        if word == Word::Begin {
            self.begun.send_modify(|begun| *begun += 1);
        }
    }

    /// Completes when so many attempts have begun in this process.
    pub async fn begun(&self, attempts: u64) {
        // The sender is this one's own.
        let _ = self.begun.subscribe().wait_for(|begun| *begun >= attempts).await;
    }

    /// Whether this task was here before; from now on it was.
    pub fn mark(&self, task: TaskId) -> bool {
        File::create_new(self.marks.join(task.to_string())).is_err()
    }

    /// Makes a mark that every process here sees.
    pub fn set(&self, mark: &str) -> std::io::Result<()> {
        File::create(self.marks.join(mark)).map(drop)
    }

    /// Whether there is such a mark.
    pub fn is_set(&self, mark: &str) -> bool {
        self.marks.join(mark).exists()
    }
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What was said.
    pub word: Word,
    /// By which task.
    pub task: String,
    /// In which attempt.
    pub attempt: u32,
    /// In which process.
    pub process: u32,
    /// The task's name.
    pub name: String,
}

/// Reads the file; one that is not there has no lines. A line that is not whole was never said.
pub fn read(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter_map(parse).collect()
}

/// Reads one line.
pub fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    Some(Line {
        word: Word::parse(words.next()?)?,
        task: words.next()?.to_owned(),
        attempt: words.next()?.parse().ok()?,
        process: words.next()?.parse().ok()?,
        name: words.next()?.to_owned(),
    })
}

/// The tasks that this process began and did not end.
pub fn unfinished(lines: &[Line], process: u32) -> HashSet<String> {
    let mut open = HashSet::new();
    for line in lines.iter().filter(|line| line.process == process) {
        match line.word {
            Word::Begin => drop(open.insert(line.task.clone())),
            Word::End => drop(open.remove(&line.task)),
            Word::Told => {}
        }
    }
    open
}
