//! What packaging refuses, for `fenrir explain`. The rules of the template itself stand in [`fenrir_core::codes`]; the
//! family 08 is packaging's.

use fenrir_core::codes::Explanation;

/// The rules of packaging.
pub const RULES: [Explanation; 10] = [
    Explanation {
        code: "F0801",
        title: "local path that names nothing",
        what: "a `CodeUri`, `ContentUri` or `DefinitionUri` of something that is not there",
        why: "local paths are read relative to the folder of the template",
        bad: "",
        good: "CodeUri: functions/hello",
    },
    Explanation {
        code: "F0802",
        title: "file that cannot be read",
        what: "a file or folder among the code that the operating system does not let you read",
        why: "a zip that lacks a file would be deployed and fail at its first call",
        bad: "",
        good: "# .fenrirignore beside the code\nsecrets.local",
    },
    Explanation {
        code: "F0803",
        title: "packed files that cannot be written",
        what: "a folder `.fenrir/` beside the template that cannot be written",
        why: "packed files lie there until they are uploaded",
        bad: "",
        good: "# .gitignore\n.fenrir/",
    },
    Explanation {
        code: "F0804",
        title: "larger than AWS takes",
        what: "code of more than 250 MB unzipped, a definition of more than 1 MB",
        why: "Lambda does not take the one, and the deployer does not read the other",
        bad: "",
        good: "# .fenrirignore beside the code\ntests/\n*.map",
    },
    Explanation {
        code: "F0805",
        title: "nothing to pack",
        what: "a folder without files, or whose files are all ignored",
        why: "it would make a function without code; most often the code was not built",
        bad: "# .gitignore beside the code\ndist/",
        good: "# .fenrirignore beside the code brings it back\n!dist/",
    },
    Explanation {
        code: "F0806",
        title: "something that is no file of the folder",
        what: "symbolic links that lead out of the folder, in a circle or nowhere; sockets, pipes, names that are no UTF-8",
        why: "a link that leads out would publish a file that nobody meant to, and another one on each machine",
        bad: "",
        good: "# .fenrirignore beside the code\nlink-to-elsewhere",
    },
    Explanation {
        code: "F0807",
        title: "file that is no zip",
        what: "a `CodeUri` or `ContentUri` of a file that is no zip",
        why: "Lambda takes a zip; name the folder, and Fenrir makes one",
        bad: "CodeUri: functions/hello/app.py",
        good: "CodeUri: functions/hello",
    },
    Explanation {
        code: "F0808",
        title: "Dockerfile that gives no zip",
        what: "a folder with a Dockerfile that cannot be built, or whose image has no `/<logical id>.zip`",
        why: "`docker` or `podman` builds the image, and each function's zip is copied out of it by its logical id",
        bad: "",
        good: "FROM public.ecr.aws/sam/build-python3.12 AS build\nCOPY . /src\nRUN cd /src && zip -r /Hello.zip .\n\n\
               FROM scratch\nCOPY --from=build /Hello.zip /",
    },
    Explanation {
        code: "F0809",
        title: "definition that is no file",
        what: "a `DefinitionUri` of a folder",
        why: "the deployer reads the definition and checks what it calls, as if it stood in the template",
        bad: "DefinitionUri: api",
        good: "DefinitionUri: api/openapi.yml",
    },
    Explanation {
        code: "F0810",
        title: "fenrir.toml that cannot be used",
        what: "a `fenrir.toml` that is no TOML, or has a section or a setting that there is none of, or a value that it cannot have",
        why: "a setting that is misspelt would be ignored, and the deploy go elsewhere than you mean",
        bad: "[default]\nregoin = \"eu-west-1\"",
        good: "[default]\nregion = \"eu-west-1\"\n\n[config.production]\ninherits = \"staging\"\naccount = \"333333333333\"",
    },
];

/// The explanation of a code of packaging, whatever its case.
#[must_use]
pub fn explain(code: &str) -> Option<&'static Explanation> {
    RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code))
}
