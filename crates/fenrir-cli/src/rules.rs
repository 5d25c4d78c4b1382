//! What packaging refuses, for `fenrir explain`. The rules of the template itself stand in `fenrir_core::policy`.

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its code.
    pub code: &'static str,
    /// What it says.
    pub title: &'static str,
    /// Why there is such a rule.
    pub why: &'static str,
    /// How it looks when it is obeyed.
    pub example: &'static str,
}

/// The rules of packaging.
pub const RULES: [Rule; 9] = [
    Rule {
        code: "F0801",
        title: "a local path names something that is there",
        why: "`CodeUri`, `ContentUri` and `DefinitionUri` are read relative to the folder of the template.",
        example: "CodeUri: functions/hello",
    },
    Rule {
        code: "F0802",
        title: "what is packed can be read",
        why: "A zip that lacks a file would be deployed and fail at its first call.",
        example: "# .fenrirignore beside the code\nsecrets.local",
    },
    Rule {
        code: "F0803",
        title: "the packed files can be written",
        why: "They lie in `.fenrir/` beside the template until they are uploaded.",
        example: "# .gitignore\n.fenrir/",
    },
    Rule {
        code: "F0804",
        title: "what is packed is no larger than AWS takes",
        why: "Lambda takes 250 MB of unzipped code, the deployer reads 1 MB of a definition.",
        example: "# .fenrirignore beside the code\ntests/\n*.map",
    },
    Rule {
        code: "F0805",
        title: "there is something to pack",
        why: "A folder without files, or whose files are all ignored, would make a function without code.",
        example: "# .fenrirignore beside the code brings back what .gitignore leaves out\n!dist/",
    },
    Rule {
        code: "F0806",
        title: "everything packed is a file inside of the folder",
        why: "A symbolic link that leads out would pack a file that nobody meant to publish, and another one on each machine. Sockets, pipes and names that are no UTF-8 cannot be packed.",
        example: "# .fenrirignore beside the code\nlink-to-elsewhere",
    },
    Rule {
        code: "F0807",
        title: "a file that is named as code is a zip",
        why: "Lambda takes a zip. Name the folder, and Fenrir makes one.",
        example: "CodeUri: functions/hello",
    },
    Rule {
        code: "F0808",
        title: "a folder with a Dockerfile builds to a zip",
        why: "`docker` or `podman` builds the image, and the zip is copied out of it by the function's logical id.",
        example: "FROM public.ecr.aws/sam/build-python3.12 AS build\nCOPY . /src\nRUN cd /src && zip -r /HelloFunction.zip .\n\nFROM scratch\nCOPY --from=build /HelloFunction.zip /",
    },
    Rule {
        code: "F0809",
        title: "a definition is a file",
        why: "The deployer reads it and checks what it calls, as if it stood in the template.",
        example: "DefinitionUri: api.yml",
    },
];

/// The rule with `code`.
#[must_use]
pub fn find(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code)
}
