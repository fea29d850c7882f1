// Refuses, sets aside or marks messages by their subject.
//
//   config = { rules = [
//       { subject = "^\\[spam\\]", verdict = "quarantine" },
//       { subject = "unsubscribe me", verdict = "reject", text = "write to the list's owner" },
//       { subject = "invoice", verdict = "mark" },
//   ] }
//
// The first rule that matches decides; "mark" adds the field X-Subject-Rule and leaves the decision to others.

import { header, addHeader } from "mailwright:plugin/message@0.1.0";

const VERDICTS = ["reject", "quarantine", "mark"];

let rules = [];

function rule(written) {
    const { subject, verdict, text = "its subject is not welcome here" } = written;
    if (typeof subject !== "string" || !VERDICTS.includes(verdict)) {
        throw { tag: "invalid-config", val: `a rule has a subject and a verdict: ${VERDICTS.join(", ")}` };
    }
    try {
        return { expression: new RegExp(subject, "iu"), subject, verdict, text };
    } catch (error) {
        throw { tag: "invalid-config", val: `subject = ${JSON.stringify(subject)}: ${error.message}` };
    }
}

export const lifecycle = {
    // Runs when the plugin is loaded, and again at the beginning of each call: a bad configuration refuses the load.
    configure(json) {
        rules = (JSON.parse(json).rules ?? []).map(rule);
        if (rules.length === 0) {
            throw { tag: "invalid-config", val: "it has no rules" };
        }
    },

    selfTest() {},
};

export const onData = {
    handle() {
        const subject = header("Subject") ?? "";
        const found = rules.find((rule) => rule.expression.test(subject));
        switch (found?.verdict) {
            case "reject": {
                const enhanced = { class: 5, subject: 7, detail: 1 };
                return { tag: "reject", val: { code: 550, enhanced, text: found.text } };
            }
            case "quarantine":
                return { tag: "quarantine", val: `its subject matches ${found.subject}` };
            case "mark":
                addHeader("X-Subject-Rule", found.subject);
                break;
        }
        return { tag: "next" };
    },
};
