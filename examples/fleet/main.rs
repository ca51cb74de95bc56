//! A fleet: three worker processes and a producer on one PostgreSQL database. Now and then a worker is killed. Who
//! does what is shown while it happens, and in the end the database proves that every order had one end.
//!
//! ```text
//! examples/fleet/run                                       # finds or installs PostgreSQL, and starts a private server
//! examples/fleet/run --orders 1000 --kill-every 500ms
//! cargo run --release --bin fleet -- --store postgres://.. # on a server of yours, in an empty schema of it
//! ```

mod crew;
mod order;
mod proof;
mod view;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use evertask::prelude::*;
use evertask::{DEFAULT_QUEUE, Dispatcher, Queue};

use crew::Crew;
use order::{Deliver, Order};
use proof::Snapshot;
use view::View;

const USAGE: &str = "fleet --store postgres://.. [--orders 300] [--kill-every 2s]";
/// How often it looks at the database.
const LOOK: Duration = Duration::from_millis(250);
/// When nothing has ended for so long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// The producer waits so long between two orders.
const PACE: Duration = Duration::from_millis(30);
/// How soon a dead worker is noticed.
const LEASE: &str = "2s";

struct Arguments {
    mode: Option<String>,
    store: String,
    orders: u32,
    kill_every: Duration,
}

impl Arguments {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let (mut mode, mut store, mut orders, mut kill_every) = (None, None, 300, Duration::from_secs(2));
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                // What the fleet starts is this program, too.
                "work" | "produce" => mode = Some(word),
                "--store" => store = Some(value()?),
                "--orders" => orders = value()?.parse()?,
                "--kill-every" => kill_every = evertask::parse_duration(&value()?)?,
                _ => return Err(format!("unknown option `{word}`: {USAGE}").into()),
            }
        }
        let store = store.ok_or("no `--store`; examples/fleet/run starts a server for it")?;
        Ok(Self { mode, store, orders, kill_every })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fleet: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool, Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let dispatcher = Dispatcher::open(&arguments.store).await?;
    let ends_well = match arguments.mode.as_deref() {
        Some("work") => work(&dispatcher).await.map(|()| true)?,
        Some(_) => produce(&dispatcher, arguments.orders).await.map(|()| true)?,
        None => conduct(&dispatcher, &arguments).await?,
    };
    dispatcher.close().await?;
    Ok(ends_well)
}

/// Works until its standard input ends: then whoever started it wants no more of it, or is gone.
async fn work(dispatcher: &Dispatcher) -> Result<(), Box<dyn Error>> {
    let worker = dispatcher.worker().queue(DEFAULT_QUEUE, Queue::new().concurrency(5)).lease(LEASE);
    // No task is to blame for the deaths of its workers here.
    let worker = worker.max_crashes(100).start().await?;
    tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await?;
    worker.shutdown().await;
    Ok(())
}

/// The key makes an order one, however often it is placed.
async fn produce(dispatcher: &Dispatcher, orders: u32) -> Result<(), Box<dyn Error>> {
    for number in 1..=orders {
        let name = format!("order {number}");
        dispatcher.dispatch(Deliver(Order { number }).key(&*name).correlation_id(&*name)).await?;
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

/// Starts the others, kills one now and then, and shows what they do until every order has ended.
async fn conduct(dispatcher: &Dispatcher, arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    if !Snapshot::read(dispatcher).await?.runs.is_empty() {
        return Err(
            "there are orders in it already: name an empty schema, `--store postgres://..?schema=fleet2`".into()
        );
    }
    let (mut crew, mut view) = (Crew::start(&arguments.store, arguments.orders)?, View::new());
    let (mut killed, mut progress, mut ended) = (Instant::now(), Instant::now(), 0);
    while ended < arguments.orders as usize {
        tokio::time::sleep(LOOK).await;
        let scene = view::Scene::read(dispatcher, arguments.orders).await?;
        if scene.ended > ended {
            (ended, progress) = (scene.ended, Instant::now());
        }
        if progress.elapsed() > PATIENCE {
            return Err(format!("no order has ended for {PATIENCE:?}; {ended} have before").into());
        }
        view.show(&crew, &scene);
        crew.revive()?;
        // The last orders are left in peace.
        let is_late = ended * 10 > arguments.orders as usize * 9;
        if !is_late
            && killed.elapsed() >= arguments.kill_every
            && let Some(victim) = crew.kill_one(&scene)?
        {
            killed = Instant::now();
            view.say(&format!("killed {victim}"));
        }
    }
    let kills = crew.kills;
    crew.dismiss()?;
    view.say("all orders have ended");
    proof::tell(dispatcher, arguments.orders, kills).await
}
