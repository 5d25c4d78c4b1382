//! The `fenrir` command.

use std::process::ExitCode;

use fenrir_cli::arguments::{self, Command};
use fenrir_cli::commands::{
    attach, bootstrap, completions, dashboard, deploy, diff, doctor, events, explain, halt, history, init, lock, logs,
    ls, man, package, plan, rollback, show, status, unlock, validate,
};
use fenrir_cli::exit::Exit;
use fenrir_cli::fault::Fault;
use fenrir_cli::printer::Printer;
use fenrir_cli::settings;

fn main() -> ExitCode {
    let mut arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
    let mut printer = Printer::of_process(arguments.output);
    let settled = settings::apply(&mut arguments.command, &mut printer);
    let end = settled.and_then(|()| match &arguments.command {
        Command::Package(arguments) => package::run(arguments, &mut printer),
        Command::Plan(arguments) => plan::run(arguments, &mut printer),
        Command::Deploy(arguments) => deploy::run(arguments, &mut printer),
        Command::Attach(arguments) => attach::run(arguments, &mut printer),
        Command::Halt(arguments) => halt::run(arguments, &mut printer),
        Command::Lock(arguments) => lock::run(arguments, &mut printer),
        Command::Unlock(arguments) => unlock::run(arguments, &mut printer),
        Command::Dashboard(arguments) => dashboard::run(arguments, &mut printer),
        Command::Status(arguments) => status::run(arguments, &mut printer),
        Command::History(arguments) => history::run(arguments, &mut printer),
        Command::Show(arguments) => show::run(arguments, &mut printer),
        Command::Diff(arguments) => diff::run(arguments, &mut printer),
        Command::Rollback(arguments) => rollback::run(arguments, &mut printer),
        Command::Ls(arguments) => ls::run(arguments, &mut printer),
        Command::Events(arguments) => events::run(arguments, &mut printer),
        Command::Logs(arguments) => logs::run(arguments, &mut printer),
        Command::Validate(arguments) => validate::run(arguments, &mut printer),
        Command::Completions(arguments) => completions::run(arguments, &mut printer),
        Command::Man(arguments) => man::run(arguments, &mut printer),
        Command::Explain(arguments) => explain::run(arguments, &mut printer),
        Command::Init(arguments) => init::run(arguments, &mut printer),
        Command::Doctor(arguments) => doctor::run(arguments, &mut printer),
        Command::Bootstrap(arguments) => bootstrap::run(arguments, &mut printer),
    });
    let exit = end.unwrap_or_else(|stop| {
        printer.stop(&stop);
        stop.exit()
    });
    if exit == Exit::Success && printer.is_cut() {
        printer.stop(&Fault::failed("not all of the answer could be written").into());
        return Exit::Failed.into();
    }
    exit.into()
}
