//! A booking that is undone: what completed is compensated, newest first, and an undo that fails is taken up by hand.
//!
//! ```text
//! booked flight to Oslo
//! booked room in Oslo
//! no car in Oslo
//! the hotel in Oslo does not answer
//! the trip failed: `book_car` (error): no car in Oslo
//! still booked: cancel_flight
//! cancelled the room in Oslo
//! cancelled the flight to Oslo
//! still booked: nothing
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

use evertask::prelude::*;
use evertask::store::{RunState, TaskFilter, TaskState};
use evertask::{Dispatcher, RunError, workflow};

#[task]
async fn book_flight(city: String) -> Result<String, Infallible> {
    println!("booked flight to {city}");
    Ok(city)
}

#[task]
async fn book_room(city: String) -> Result<String, Infallible> {
    println!("booked room in {city}");
    Ok(city)
}

#[task]
async fn book_car(city: String) -> Result<String, String> {
    println!("no car in {city}");
    Err(format!("no car in {city}"))
}

#[task]
async fn cancel_flight(city: String) -> Result<(), Infallible> {
    println!("cancelled the flight to {city}");
    Ok(())
}

/// Another system, which is down at first.
struct Hotel(AtomicBool);

#[task]
async fn cancel_room(city: String, hotel: &Hotel) -> Result<(), String> {
    if hotel.0.swap(true, Ordering::Relaxed) {
        println!("cancelled the room in {city}");
        Ok(())
    } else {
        println!("the hotel in {city} does not answer");
        Err("the hotel does not answer".into())
    }
}

workflow! {
    /// Books a whole trip, or nothing.
    BookTrip<String -> String> {
        book_flight {
            on_ok      => book_room,
            undo(city) => cancel_flight { city },
        }
        book_room {
            on_ok      => book_car,
            undo(city) => cancel_room { city },
        }
        book_car {
            on_ok  => done,
            on_err => rollback,
        }
    }
}

async fn still_booked(dispatcher: &Dispatcher, run: evertask::RunId) -> Result<(), Box<dyn Error>> {
    let waiting = dispatcher.list(TaskFilter::new().run(run).state(TaskState::Waiting)).await?;
    let names: Vec<_> = waiting.iter().map(|task| task.name.as_str()).collect();
    println!("still booked: {}", if names.is_empty() { "nothing".to_owned() } else { names.join(", ") });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().data(Hotel(AtomicBool::new(false))).start().await?;
    let trip = dispatcher.dispatch(BookTrip("Oslo".into())).await?;
    if let Err(RunError::Failed { report, .. }) = trip.wait().await {
        println!("the trip failed: {report}");
    }
    still_booked(&dispatcher, trip.id()).await?;
    // Somebody has called the hotel: the compensation goes on where it stopped.
    assert!(dispatcher.resume_undo(trip.id()).await?);
    assert!(trip.wait().await.is_err());
    still_booked(&dispatcher, trip.id()).await?;
    assert_eq!(dispatcher.get_run(trip.id()).await?.map(|run| run.state), Some(RunState::Failed));
    worker.shutdown().await;
    Ok(())
}
