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
        /// Memory for the stack, in KiB. All memory is cleared after each message, so that less is faster; a call that needs
        /// more stack is ended.
        #[arg(long, value_name = "KIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(4..=1024))]
        stack: u32,
        /// Memory for the heap from the start, in KiB. One that has to grow for a message has its instance made anew.
        #[arg(long, value_name = "KIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=15_360))]
        heap: u32,
        /// Where NAME.wasm is written; the crate's folder, or the module's own place, if not said.
        #[arg(long, value_name = "FOLDER")]
        release_dir: Option<PathBuf>,
    },
    /// List the plugins that this program carries; or write one as a file, as any other component.
    #[command(after_help = "Examples:\n  mailwright plugin builtin\n  \
        mailwright plugin builtin filter --out filter.wasm")]
    Builtin {
        /// Which one, without `builtin:`.
        #[arg(requires = "out")]
        name: Option<String>,
        /// The file to write it to; it must not be there.
        #[arg(long, value_name = "FILE", requires = "name")]
        out: Option<PathBuf>,
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
    /// Measure a component: each hook, a fresh instance, memory.
    ///
    /// It is asked about a plain message, or about the cases of a folder (as for `plugin test`), and runs as a shadow:
    /// nothing comes of what it does.
    #[command(after_help = "Examples:\n  mailwright plugin bench my-policy.wasm\n  \
        mailwright plugin bench my-policy.wasm --config mailwright.toml --plugin my-policy --json")]
    Bench {
        /// The component: a file, or builtin:NAME.
        component: String,
        /// The server's configuration, which says what the plugin is allowed and its own configuration.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Which plugin of the configuration it is.
        #[arg(long, value_name = "NAME", requires = "config")]
        plugin: Option<String>,
        /// The folder with the cases, and plugin.toml where no --config is given.
        #[arg(long, value_name = "FOLDER")]
        cases: Option<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Record the next hook calls of a plugin of the running server into a file, for `plugin replay`.
    ///
    /// Mail is in it, up to 64 KiB of each body: the file is for its owner alone. The command waits for mail; what was
    /// recorded until it is stopped is in the file.
    #[command(
        after_help = "Example:\n  mailwright plugin record filter --calls 1000 --out calls.jsonl --config mailwright.toml"
    )]
    Record {
        #[command(flatten)]
        config: ConfigArgs,
        /// The plugin's name in the configuration.
        plugin: String,
        /// How many calls.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        calls: u64,
        /// The file; it must not be there.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Ask a component what `plugin record` recorded of another version, and list where it says something else.
    ///
    /// It runs as a shadow: nothing comes of what it does. Its buckets begin empty, and names are looked up now. The exit
    /// code is 1 if anything differs.
    #[command(
        after_help = "Example:\n  mailwright plugin replay calls.jsonl --component new.wasm --config mailwright.toml"
    )]
    Replay {
        /// What was recorded.
        file: PathBuf,
        /// The component: a file, or builtin:NAME.
        #[arg(long, value_name = "COMPONENT")]
        component: String,
        /// The server's configuration, which says what the plugin is allowed and its own configuration.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Which plugin of the configuration it is; the one that was recorded if not said.
        #[arg(long, value_name = "NAME", requires = "config")]
        plugin: Option<String>,
        /// One JSON object for each difference.
        #[arg(long)]
        json: bool,
    },
    /// List what a plugin of the running server keeps in its buckets: its limits with what is left of them, and values.
    ///
    /// Limits that are whole are not there.
    #[command(after_help = "Examples:\n  mailwright plugin bucket rate-limit --config mailwright.toml\n  \
        mailwright plugin bucket rate-limit --prefix 'per-user|ann' --json --config mailwright.toml")]
    Bucket {
        #[command(flatten)]
        config: ConfigArgs,
        /// The plugin's name in the configuration.
        plugin: String,
        /// One of its buckets; all if not said.
        #[arg(long)]
        bucket: Option<String>,
        /// Those for the mail of this tenant alone.
        #[arg(long)]
        tenant: Option<String>,
        /// Keys that begin so.
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// One JSON object a line: tenant, bucket, key, and limit or value.
        #[arg(long)]
        json: bool,
    },
    /// List where shadows and canaries of the running server say something else than what they are measured by.
    #[command(after_help = "Example:\n  mailwright plugin differences filter-next --config mailwright.toml")]
    Differences {
        #[command(flatten)]
        config: ConfigArgs,
        /// One of them; all if not said.
        plugin: Option<String>,
        /// A JSON list.
        #[arg(long)]
        json: bool,
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
