//! What may be said after `plugin`.

use super::super::config_args::ConfigArgs;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Make a folder with a new plugin in Rust: a crate that builds, with its tests.
    ///
    /// The SDK is written into it, as it was when this program was built.
    #[command(after_help = "Examples:\n  mailwright plugin new my-policy\n  \
        mailwright plugin new my-policy --sdk ../mailwright/plugin-sdk")]
    New {
        /// The plugin's name, and the folder's.
        name: String,
        /// Use the SDK in this folder.
        #[arg(long, value_name = "FOLDER")]
        sdk: Option<PathBuf>,
    },
    /// Build a plugin's crate for WebAssembly and make a component of it: NAME.wasm.
    ///
    /// Needs cargo, and the target wasm32-unknown-unknown (rustup target add wasm32-unknown-unknown). With --module it makes
    /// a component of a module that another language's compiler made, and needs neither.
    #[command(after_help = "Examples:\n  mailwright plugin build\n  \
        mailwright plugin build my-policy --release-dir /etc/mailwright/plugins\n  \
        mailwright plugin build --module greylist.wasm")]
    Build {
        /// The crate's folder.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Make a component of this core module, instead of a crate.
        #[arg(long, value_name = "FILE", conflicts_with = "folder")]
        module: Option<PathBuf>,
        /// Where NAME.wasm is written; the crate's folder, or the module's own place, if not said.
        #[arg(long, value_name = "FOLDER")]
        release_dir: Option<PathBuf>,
    },
    /// Write the contract into a folder with a world of your own (WIT), for the tools of other languages.
    ///
    /// It goes into FOLDER/deps/mailwright-plugin.
    #[command(after_help = "Examples:\n  mailwright plugin wit wit\n  mailwright plugin wit wit --c-library generated")]
    Wit {
        /// The folder.
        folder: PathBuf,
        /// Write the few functions of a C library that C bindings call, for guests without one, into this folder.
        #[arg(long, value_name = "FOLDER")]
        c_library: Option<PathBuf>,
    },
    /// Say what a component is: its hooks, what it wants to be allowed, its sum.
    ///
    /// Nothing of it is run.
    #[command(after_help = "Examples:\n  mailwright plugin inspect greylist.wasm\n  \
        mailwright plugin inspect builtin:hello --json")]
    Inspect {
        /// The component: a file, or builtin:NAME.
        component: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Try a component on cases that you wrote: sessions and messages, and what is expected of it.
    ///
    /// In the folder, plugin.toml has a `[[plugin]]` with what it is allowed and its configuration, as a server's; each
    /// other NAME.toml is a case, and messages lie beside them. The exit code is 1 if one is not as expected.
    #[command(after_help = "Example:\n  mailwright plugin test my-policy.wasm --cases cases\n\n\
        A case:\n  sender = \"a@from.example\"\n  recipients = [\"nobody@to.example\", \"b@to.example\"]\n  \
        message = \"hello.eml\"\n  session = { peer = \"192.0.2.1:4711\", helo = \"client.example\" }\n  [expect]\n  \
        rcpt = [\"reject 550 5.7.1 this mailbox takes no mail\", \"next\"]\n  data = \"next\"\n  \
        edits = [\"add X-Recipients: 1\"]")]
    Test {
        /// The component.
        component: PathBuf,
        /// The folder with the cases.
        #[arg(long, value_name = "FOLDER")]
        cases: PathBuf,
    },
    /// List the plugins that the running server asks, in their order.
    #[command(after_help = "Example:\n  mailwright plugin list --config mailwright.toml")]
    List {
        #[command(flatten)]
        config: ConfigArgs,
        /// One JSON object: generation, previous, plugins.
        #[arg(long)]
        json: bool,
    },
    /// Have the running server load its plugins anew: their part of the configuration, and their components.
    ///
    /// Each is compiled beside the mail, checked against its grants, configured and tested; then all of them serve, and
    /// transactions under way end with what they began with. If one can't be loaded, the old ones serve on, and the exit
    /// code is 1.
    #[command(after_help = "Example:\n  mailwright plugin reload --config mailwright.toml")]
    Reload(ConfigArgs),
    /// Have the running server go back to the plugins that served before the last reload, at once.
    ///
    /// They are kept ready, with the configuration that they had. A second rollback undoes the first. The next reload
    /// reads the configuration again: put it right as well.
    #[command(after_help = "Example:\n  mailwright plugin rollback --config mailwright.toml")]
    Rollback(ConfigArgs),
}
