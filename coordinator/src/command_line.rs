//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use shm_layout::{BrokerId, ConnectionId, FrontAddr, Instance};

use crate::config::Strategy;

/// Market data of Chinese futures, from many brokers' CTP fronts to WebSocket clients.
#[derive(Debug, Parser)]
#[command(
    name = "qamd",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct CommandLine {
    /// What to do; without a verb the fleet is run.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// How the fleet is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the fleet (the default): one worker per enabled connection and the WebSocket frontend.
    Run(RunArgs),
    /// Show how the running fleet is.
    Status(StatusArgs),
    /// End one connection's worker and start it anew; its instruments tick elsewhere first where there is room.
    Restart(ConnectionArgs),
    /// Move a connection's instruments elsewhere and give it no others; its worker stays logged in.
    Drain(ConnectionArgs),
    /// Use a connection: undoes drain, disable, and `enabled: false` in the configuration.
    Enable(ConnectionArgs),
    /// Move a connection's instruments elsewhere and end its worker.
    Disable(ConnectionArgs),
    /// Read the configuration again and apply what changed, without a touch to connections that did not.
    Reload(ReloadArgs),
    /// Show how the segments in shared memory are, and what they hold; the fleet need not run.
    Shm(ShmArgs),
    /// Check a configuration and everything it names, and print all faults.
    CheckConfig(CheckConfigArgs),
    /// Show the gateway at work on a simulated market: three brokers, no network, no configuration.
    Demo(DemoArgs),
}

/// `qamd run`
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Run the connections of a configuration file: that of --config, else config/multi_ctp_config.json when it is
    /// there, else config/qamd.json.
    #[arg(long)]
    pub multi_ctp: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How instruments find their connection: connection_quality, round_robin, least_connections, hash_based.
    #[arg(long, value_name = "STRATEGY")]
    pub strategy: Option<Strategy>,
    /// The front of a single connection [default: SimNow's tcp://182.254.243.31:30011].
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["config", "multi_ctp"])]
    pub front_addr: Option<FrontAddr>,
    /// The broker of a single connection [default: 9999].
    #[arg(long, value_name = "BROKER", conflicts_with_all = ["config", "multi_ctp"])]
    pub broker_id: Option<BrokerId>,
    /// The WebSocket port [default: the configuration's, else 7799].
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Show how the running fleet is instead of running one.
    #[arg(long)]
    pub status: bool,
}

/// `qamd status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print everything as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the fleet is.
    #[command(flatten)]
    pub fleet: FleetArgs,
}

/// `qamd restart`, `drain`, `enable`, `disable`
#[derive(Debug, Args)]
pub struct ConnectionArgs {
    /// The connection_id, as in the configuration and in `qamd status`.
    #[arg(value_name = "ID")]
    pub connection: ConnectionId,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the fleet is.
    #[command(flatten)]
    pub fleet: FleetArgs,
}

/// `qamd reload`
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the fleet is.
    #[command(flatten)]
    pub fleet: FleetArgs,
}

/// `qamd shm`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct ShmArgs {
    /// What to do; without a verb the health of both segments is shown.
    #[command(subcommand)]
    pub verb: Option<ShmVerb>,
    /// Print everything as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the fleet is.
    #[command(flatten)]
    pub fleet: FleetArgs,
}

/// The verbs of `qamd shm`.
#[derive(Debug, Subcommand)]
pub enum ShmVerb {
    /// Show what both segments hold of instruments.
    Get(ShmGetArgs),
    /// Remove both segments of a fleet that does not run; the next start makes them anew.
    Remove(ShmRemoveArgs),
}

/// `qamd shm get`
#[derive(Debug, Args)]
pub struct ShmGetArgs {
    /// Instruments, as SHFE.rb2601 or rb2601.
    #[arg(value_name = "INSTRUMENT", required = true)]
    pub instruments: Vec<String>,
    /// Print everything as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the fleet is.
    #[command(flatten)]
    pub fleet: FleetArgs,
}

/// `qamd shm remove`
#[derive(Debug, Args)]
pub struct ShmRemoveArgs {
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the fleet is.
    #[command(flatten)]
    pub fleet: FleetArgs,
}

/// Which fleet is meant.
#[derive(Debug, Args, Default)]
pub struct FleetArgs {
    /// The fleet that runs with this configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The fleet's name [default: the configuration's, else qamd].
    #[arg(long, value_name = "NAME")]
    pub instance: Option<Instance>,
    /// The fleet's runtime directory [default: the configuration's, else the usual one of the name].
    #[arg(long, value_name = "DIR")]
    pub runtime_dir: Option<PathBuf>,
}

/// `qamd check-config`
#[derive(Debug, Args)]
pub struct CheckConfigArgs {
    /// The configuration file.
    pub file: PathBuf,
    /// Print the faults as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `qamd demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Replay a recording instead of making a market: CSV with CTP's column names, plain, .gz or .zst.
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// The WebSocket port; 0 lets the system choose.
    #[arg(long, value_name = "PORT", default_value_t = crate::config::WEBSOCKET_PORT_DEFAULT)]
    pub port: u16,
    /// So many times faster than real time.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub speed: f64,
    /// The fleet's name; another one lets a second demonstration run beside the first.
    #[arg(long, value_name = "NAME", default_value = crate::demo::INSTANCE)]
    pub instance: Instance,
    /// Stop after so many seconds instead of at Ctrl-C.
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(std::iter::once("qamd").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_seeds_lines_are_understood_with_and_without_the_verb() {
        for line in [
            "",
            "--multi-ctp",
            "--config config/multi_ctp_config.json",
            "--multi-ctp --strategy round_robin",
            "--multi-ctp --status",
            "--config a.json --status",
            "--front-addr tcp://182.254.243.31:30011 --broker-id 9999 --port 7799",
        ] {
            assert!(parse(line).is_ok(), "{line}");
            assert!(
                matches!(parse(&format!("run {line}")).unwrap().verb, Some(Verb::Run(_))),
                "{line}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--front-addr 1.2.3.4:5",
            "--strategy fastest",
            "--multi-ctp --front-addr tcp://1.2.3.4:5",
            "--config a.json --broker-id 1",
            "--multi-ctp status",
            "check-config",
            "--port 70000",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
