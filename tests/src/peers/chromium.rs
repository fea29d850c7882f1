//! A real browser: Debian's Chromium without a window, told what to do through pipes (the DevTools protocol).

use super::{lossy, program, run};
use std::process::Command;

/// What scripts begin with. Everything waits for an event of the browser; a page's structure is what a screen reader gets.
const BROWSER: &str = r#"
import fcntl, json, os, subprocess, sys, tempfile

class Browser:
    """One page. With script=False its scripts don't run."""

    def __init__(self, program, language, script=True):
        self.folder = tempfile.TemporaryDirectory(prefix="mailwright-browser-")
        theirs_in, self.to = os.pipe()
        self.of, theirs_out = os.pipe()
        # Out of the way of 3 and 4, which the browser takes.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (theirs_in, theirs_out)]
        def place():
            os.dup2(theirs[0], 3)
            os.dup2(theirs[1], 4)
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--force-renderer-accessibility", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                 "--remote-debugging-pipe", "--user-data-dir=" + self.folder.name]
        self.process = subprocess.Popen([program] + flags + ["about:blank"], preexec_fn=place, pass_fds=(3, 4),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in theirs + [theirs_in, theirs_out]:
            os.close(end)
        self.last, self.rest, self.events, self.session = 0, b"", [], None
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Accessibility"):
            self.tell(domain + ".enable")
        self.tell("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
        self.tell("Emulation.setScriptExecutionDisabled", value=not script)

    def hear(self):
        while b"\0" not in self.rest:
            more = os.read(self.of, 65536)
            assert more, "the browser is gone"
            self.rest += more
        said, self.rest = self.rest.split(b"\0", 1)
        return json.loads(said)

    def tell(self, method, **params):
        self.last += 1
        said = {"id": self.last, "method": method, "params": params}
        if self.session:
            said["sessionId"] = self.session
        os.write(self.to, json.dumps(said).encode() + b"\0")
        while True:
            heard = self.hear()
            if heard.get("id") == self.last:
                assert "error" not in heard, (method, heard)
                return heard["result"]
            self.events.append(heard)

    def wait(self, method):
        while True:
            for event in self.events:
                if event.get("method") == method:
                    self.events.remove(event)
                    return event["params"]
            self.events.append(self.hear())

    def open(self, url):
        self.events.clear()
        self.tell("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def press(self, key, code, text=""):
        of = dict(key=key, code=key, windowsVirtualKeyCode=code)
        self.tell("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **of)
        self.tell("Input.dispatchKeyEvent", type="keyUp", **of)

    def tab(self):
        self.press("Tab", 9)

    def down(self):
        self.press("ArrowDown", 40)

    def submit(self):
        """Presses Enter, and waits for the page that comes of it."""
        self.events.clear()
        self.press("Enter", 13, "\r")
        self.wait("Page.loadEventFired")

    def tree(self):
        """(role, name, properties) of each node that is not passed over."""
        nodes = self.tell("Accessibility.getFullAXTree")["nodes"]
        value = lambda node, name: node.get(name, {}).get("value", "")
        props = lambda node: {p["name"]: p["value"].get("value") for p in node.get("properties", [])}
        return [(value(n, "role"), value(n, "name"), props(n)) for n in nodes if not n.get("ignored")]

    def named(self, role):
        return [name for found, name, _ in self.tree() if found == role]

    def focused(self):
        """Where the keyboard is: the page itself does not count."""
        found = [(role, name) for role, name, props in self.tree() if props.get("focused") and role != "RootWebArea"]
        return found[0] if found else None

    def chosen(self):
        return [name for role, name, props in self.tree() if role == "radio" and props.get("checked") == "true"]

    def close(self):
        os.close(self.to)
        self.process.wait(timeout=30)
"#;

/// Runs a script that has `Browser`, and `PROGRAM` for it; what it printed.
///
/// # Panics
/// When there is no Chromium, or the script fails.
#[must_use]
pub fn browse(script: &str) -> String {
    let chromium = program("chromium");
    let mut command = Command::new(program("python3"));
    command.arg("-c").arg(format!("{BROWSER}\nPROGRAM = {:?}\n{script}", chromium.display().to_string()));
    let output = run(command);
    assert!(output.status.success(), "{}{}", lossy(&output.stdout), lossy(&output.stderr));
    lossy(&output.stdout)
}
