//! The processes: three workers, each with a name that outlives its process, and a producer.

use std::io;
use std::process::{Child, Command, Stdio};

use crate::view::Scene;

const NAMES: [&str; 3] = ["Ada", "Ben", "Cleo"];

pub struct Member {
    pub name: &'static str,
    /// None, while it is dead.
    process: Option<Child>,
}

impl Member {
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }
}

pub struct Crew {
    pub members: Vec<Member>,
    pub kills: u32,
    producer: Child,
    store: String,
}

impl Crew {
    pub fn start(store: &str, orders: u32) -> io::Result<Self> {
        let producer = start(store, &["produce", "--orders", &orders.to_string()])?;
        let members = NAMES.into_iter().map(|name| Member { name, process: None }).collect();
        let mut crew = Self { members, kills: 0, producer, store: store.to_owned() };
        crew.revive()?;
        Ok(crew)
    }

    /// Starts those who are dead. One that nobody has killed must not be.
    pub fn revive(&mut self) -> io::Result<()> {
        for member in &mut self.members {
            match &mut member.process {
                None => member.process = Some(start(&self.store, &["work"])?),
                Some(process) => {
                    if let Some(status) = process.try_wait()? {
                        return Err(io::Error::other(format!("{} ended by itself: {status}", member.name)));
                    }
                }
            }
        }
        Ok(())
    }

    /// `kill -9` for the one who has most to do. Says who, and in the middle of what.
    pub fn kill_one(&mut self, scene: &Scene) -> io::Result<Option<String>> {
        let busy = |member: &&mut Member| member.id().map_or(0, |id| scene.tasks_of(id).len());
        let Some(victim) = self.members.iter_mut().max_by_key(busy) else { return Ok(None) };
        let Some(mut process) = victim.process.take_if(|process| !scene.tasks_of(process.id()).is_empty()) else {
            return Ok(None);
        };
        process.kill()?;
        process.wait()?;
        self.kills += 1;
        let tasks = scene.tasks_of(process.id()).join(", ");
        Ok(Some(format!("{} (process {}) in the middle of {tasks}", victim.name, process.id())))
    }

    /// Closes their standard inputs, and waits until they have ended.
    pub fn dismiss(mut self) -> io::Result<()> {
        let workers = self.members.iter_mut().filter_map(|member| Some((member.name, member.process.take()?)));
        let mut all: Vec<_> = workers.collect();
        for (_, process) in &mut all {
            drop(process.stdin.take());
        }
        for (name, mut process) in all {
            let status = process.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("{name} ended with {status}")));
            }
        }
        let status = self.producer.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("the producer ended with {status}"))) }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for process in self.members.iter_mut().filter_map(|member| member.process.as_mut()).chain([&mut self.producer])
        {
            // It may have ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// This program again, in another mode.
fn start(store: &str, arguments: &[&str]) -> io::Result<Child> {
    Command::new(std::env::current_exe()?).args(arguments).args(["--store", store]).stdin(Stdio::piped()).spawn()
}
