//! Measures what an event costs the services, beside the floors and the peers that read the same topic in the same run.

mod options;
mod rounds;

mod contender;
mod decided;
mod door;
mod matcher;
mod peer;
mod service;

mod activity;
mod consume;
mod floor;
mod load;
mod post;
mod record;
mod shape;
mod truth;

mod callgrind;
mod gate;
mod work;

mod child;
mod page;
mod picture;
mod results;
mod stop;
mod table;
mod tree;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Loads a topic with seeded installs, lets each contender read it whole in turn, and compares CPU time per event.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    options: options::Options,
}

#[derive(Subcommand)]
enum Part {
    /// One bare consumer, as the bench starts it.
    #[command(hide = true)]
    Consume(consume::Options),
    /// A client that sends events, as the bench starts it.
    #[command(hide = true)]
    Post(post::Client),
    /// A server that only answers, as the bench starts it.
    #[command(hide = true)]
    Serve(post::Server),
    /// The work on a record without Kafka and Redis, as the gate starts it.
    #[command(hide = true)]
    Work(work::Options),
    /// Counts the instructions that a record takes, and compares them with the committed figures.
    Gate(gate::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.part {
        Some(Part::Consume(options)) => consume::run(&options),
        Some(Part::Post(options)) => post::run(&options),
        Some(Part::Serve(options)) => post::serve(&options),
        Some(Part::Work(options)) => work::run(&options),
        Some(Part::Gate(options)) => gate::run(&options),
        None => rounds::run(&cli.options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
