//! A developer's folder, and what the `fenrir` command says and does in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fenrir_testkit::{Deployer, lambdas, python, root};

use crate::deployer;

/// A folder of one test with a template in it.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
    deployer: &'static Deployer,
}

impl Workplace {
    /// A copy of an example, under a project of its own so that tests do not meet.
    pub(crate) fn of(example: &str, project: &str) -> Self {
        let workplace = Self {
            folder: tempfile::tempdir().unwrap(),
            deployer: deployer(),
        };
        copy(&root().join("examples").join(example), workplace.folder.path());
        let text = workplace.template();
        let line = text.lines().find(|line| line.starts_with("ProjectName:")).unwrap();
        // A role is one project's, and the tests run at once.
        let role = format!("-{}", project.replace('/', "-"));
        let own = text.replace(line, &format!("ProjectName: {project}"));
        let own: Vec<String> = own
            .lines()
            .map(|line| match line.trim_start().strip_prefix("Role: ") {
                Some(_) => format!("{line}{role}"),
                None => line.to_owned(),
            })
            .collect();
        workplace.write(&own.join("\n"));
        let made = Command::new(python())
            .arg(root().join("tests/local_aws/roles.py"))
            .args([OsStr::new(deployer().aws().endpoint()), workplace.path().as_os_str()])
            .status()
            .unwrap();
        assert!(made.success(), "the example's roles are made");
        workplace
    }

    /// A copy of a folder, as it is.
    pub(crate) fn copy_of(folder: &Path) -> Self {
        let workplace = Self {
            folder: tempfile::tempdir().unwrap(),
            deployer: deployer(),
        };
        copy(folder, workplace.folder.path());
        workplace
    }

    /// An application of these resources (YAML, indented by two), of `project` and the config `test`.
    pub(crate) fn with(deployer: &'static Deployer, project: &str, resources: &str) -> Self {
        let workplace = Self {
            folder: tempfile::tempdir().unwrap(),
            deployer,
        };
        workplace.resources(project, resources);
        workplace
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            deployer: deployer(),
        }
    }

    /// The same application with other resources.
    pub(crate) fn resources(&self, project: &str, resources: &str) {
        self.write(&format!(
            "Transform: AWS::Serverless-2016-10-31\nProjectName: {project}\nConfigName: test\nResources:\n{resources}"
        ));
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("template.yml")
    }

    /// Another file.
    pub(crate) fn file(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn template(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(lambdas().join("fenrir/bootstrap"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("AWS_ENDPOINT_URL", self.deployer.aws().endpoint())
            .env("AWS_REGION", Deployer::REGION)
            .env("AWS_ACCESS_KEY_ID", Deployer::ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }
}

/// What the command said, and its exit status.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) said: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let said = [output.stdout, output.stderr].concat();
        Self {
            status: output.status.code().unwrap(),
            said: String::from_utf8(said).unwrap(),
        }
    }
}

impl Ran {
    /// The release that it was about: `fenrir deploy` says it first.
    pub(crate) fn release(&self) -> &str {
        let line = self.said.lines().find_map(|line| line.strip_prefix("release "));
        line.and_then(|line| line.split(':').next()).unwrap()
    }

    /// Asserts that this is not said.
    pub(crate) fn lacks(self, words: &str) -> Self {
        assert!(!self.said.contains(words), "`{words}` is in: {}", self.said);
        self
    }

    pub(crate) fn ends(self, status: i32, words: &[&str]) -> Self {
        assert_eq!(self.status, status, "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "`{word}` is not in: {}", self.said);
        }
        self
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.file_name() == Some(OsStr::new(".fenrir")) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
