#!/usr/bin/env python3
"""Dockerfile, compose.yaml and kubernetes.yaml, as far as they can be judged without an engine for
containers: against the binary, the options, the plugins and each other.

usage: deployment_files_test.py HOST_BINARY [TEST...]
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

import host_process_test as process

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOGWARTS = ROOT / "examples" / "hogwarts"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PLUGINS = sorted(file.stem for file in (ROOT / "plugins").glob("*.lua"))
# What every image of Debian has; see `apt-get install` of the Dockerfile for the rest.
BASE_PACKAGES = {"libc6", "libgcc-s1", "libstdc++6"}


def text_of(file):
    return (HOGWARTS / file).read_text("utf-8")


COMPOSE = yaml.safe_load(text_of("compose.yaml"))
KUBERNETES = yaml.safe_load(text_of("kubernetes.yaml"))["items"]


def of_kind(kind):
    return {item["metadata"]["name"]: item for item in KUBERNETES if item["kind"] == kind}


def image_environment():
    pairs = re.search(r"^ENV (.*)$", DOCKERFILE, re.M).group(1)
    return dict(pair.split("=", 1) for pair in pairs.split())


def port_of(address):
    return int(address.rpartition(":")[2])


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text).group(1))


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def pods():
    """Name: specification, of everything that runs on Kubernetes."""
    return {name: item["spec"]["template"]["spec"]
            for kind in ("Job", "Deployment") for name, item in of_kind(kind).items()}


class DockerfileTest(unittest.TestCase):
    def packages(self):
        listed = re.findall(r"apt-get install -y --no-install-recommends \\\n((?:.*\\\n)+?)  &&",
                            DOCKERFILE)
        self.assertEqual(1, len(listed))
        return set(listed[0].replace("\\", " ").split())

    def test_it_installs_the_packages_of_what_the_binary_is_linked_with_and_no_others(self):
        linked = self.linked(process.BINARY)
        self.assertGreater(len(linked), 8)
        late = self.loaded_late(linked)
        self.assertEqual(1, len(late), late)
        libraries = {**linked, **late, **self.linked(*late.values())}
        owners = {self.owner(path) for path in libraries.values()}
        self.assertEqual(owners - BASE_PACKAGES, self.packages() - {"ca-certificates"})

    @staticmethod
    def linked(program):
        """Soname: path, of what it names itself."""
        needed = re.findall(r"NEEDED.*\[(.+)\]", said("readelf", "-d", program))
        where = dict(re.findall(r"^\s*(\S+) => (\S+)", said("ldd", program), re.M))
        return {library: where[library] for library in needed if not library.startswith("ld-")}

    @staticmethod
    def loaded_late(linked):
        """Soname: path, of the libraries that are named in the binary and not linked."""
        names = re.findall(rb"\0(lib\w+\.so\.[\d.]+)(?=\0)",
                           pathlib.Path(process.BINARY).read_bytes())
        where = dict(re.findall(r"^\s*(\S+) .* => (\S+)", said("/sbin/ldconfig", "-p"), re.M))
        return {name: where[name] for name in map(bytes.decode, names) if name not in linked}

    @staticmethod
    def owner(path):
        """The package of a file, which dpkg may know by its place before /usr took all in."""
        real = os.path.realpath(path)
        for name in (real, real.removeprefix("/usr"), path):
            done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True,
                                  check=False)
            if done.returncode == 0:
                return done.stdout.split(":")[0]
        raise AssertionError(f"no package has {path}")

    def test_what_it_copies_is_there_and_sent_to_the_builder(self):
        ignored = {line for line in (ROOT / ".dockerignore").read_text("utf-8").split("\n")
                   if line and not line.startswith("#")}
        copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.M)
        self.assertEqual(["dev", ".", "scripts", "plugins"], copied)
        for path in [*copied, "cmake", "host", "bindings", "CMakeLists.txt", "CMakePresets.json"]:
            self.assertTrue((ROOT / path).exists(), path)
            self.assertNotIn(path, ignored)

    def test_it_does_not_run_as_root(self):
        self.assertRegex(DOCKERFILE, r"(?m)^USER 10001:10001$")
        self.assertIn("useradd --uid 10001 ", DOCKERFILE)
        for pod in pods().values():
            self.assertEqual(10001, pod["securityContext"]["runAsUser"])

    def test_its_health_check_tells_a_host_that_answers_from_none(self):
        command = re.search(r"HEALTHCHECK .*? CMD (\[.*?\])\n", DOCKERFILE.replace("\\\n", ""), re.S)
        check = json.loads(command.group(1))
        with tempfile.TemporaryDirectory() as folder:
            host = process.Host(self, pathlib.Path(folder), "--plugin",
                                str(ROOT / "plugins" / "hagrid.lua"))
            healthy = {**os.environ, "HOST_LISTEN": f"0.0.0.0:{host.port}"}
            self.assertEqual(0, subprocess.run(check, env=healthy, timeout=30).returncode)
            host.kill()
            done = subprocess.run(check, env=healthy, timeout=30, stderr=subprocess.DEVNULL)
            self.assertNotEqual(0, done.returncode)


class FilesTest(unittest.TestCase):
    """What the files say of each other, of the options and of the image."""

    def test_there_is_a_service_and_a_deployment_for_each_plugin(self):
        self.assertEqual(PLUGINS, sorted(set(COMPOSE["services"]) - {"kafka", "postgres", "db-init"}))
        for kind in ("Deployment", "Service", "PodDisruptionBudget", "ScaledObject"):
            self.assertEqual(PLUGINS, sorted(of_kind(kind)), kind)
        for name in PLUGINS:
            command = ["--plugin", f"plugins/{name}.lua"]
            self.assertEqual(command, COMPOSE["services"][name]["command"])
            self.assertEqual(command, pods()[name]["containers"][0]["args"])

    def test_names_on_kubernetes_belong_together(self):
        for name, item in of_kind("Deployment").items():
            labels = item["spec"]["template"]["metadata"]["labels"]
            self.assertEqual({"app": name}, item["spec"]["selector"]["matchLabels"])
            self.assertEqual(name, labels["app"])
            self.assertEqual({"app": name}, of_kind("Service")[name]["spec"]["selector"])
            self.assertEqual({"app": name}, of_kind("PodDisruptionBudget")[name]["spec"]
                             ["selector"]["matchLabels"])
            scaled = of_kind("ScaledObject")[name]["spec"]
            self.assertEqual({"name": name}, scaled["scaleTargetRef"])
            self.assertEqual(item["spec"]["replicas"], scaled["minReplicaCount"])

    def test_lag_is_asked_of_the_group_and_the_topic_of_the_plugin(self):
        world = (ROOT / "scripts/scenarios/hogwarts/world.lua").read_text("utf-8")
        for name, item in of_kind("ScaledObject").items():
            trigger, = item["spec"]["triggers"]
            self.assertEqual(f"host.{name}", trigger["metadata"]["consumerGroup"])
            topic = trigger["metadata"]["topic"]
            plugin = (ROOT / "plugins" / f"{name}.lua").read_text("utf-8")
            if name != "master":
                place = re.search(r'place = "(\w+)"', plugin)
                self.assertIn(f'{place.group(1)} = "{topic}"', world)
            else:
                self.assertIn(f'["{topic}"] = {{ schema', plugin)

    def test_ports_are_those_of_the_image_and_of_the_variables(self):
        listen = port_of(image_environment()["HOST_LISTEN"])
        exposed = re.search(r"^EXPOSE (.*)$", DOCKERFILE, re.M).group(1).split()
        self.assertIn(str(listen), exposed)
        for name in PLUGINS:
            published, = COMPOSE["services"][name]["ports"]
            self.assertEqual(listen, port_of(published))
            container, = pods()[name]["containers"]
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            admin = {each["name"]: each.get("value") for each in container["env"]}["HOST_ADMIN"]
            self.assertEqual({"http": listen, "admin": port_of(admin)}, ports)
            annotations = of_kind("Deployment")[name]["spec"]["template"]["metadata"]["annotations"]
            self.assertEqual(port_of(admin), int(annotations["prometheus.io/port"]))
            for port in of_kind("Service")[name]["spec"]["ports"]:
                self.assertIn(port["targetPort"], ports)
            for kind, path in (("startup", "/healthz"), ("liveness", "/healthz"),
                               ("readiness", "/readyz")):
                probe = container[kind + "Probe"]["httpGet"]
                self.assertEqual({"path": path, "port": "http"}, probe)

    def test_a_stop_is_given_the_time_that_it_may_take(self):
        by_default = seconds(re.search(r'"stop-timeout".*\((\w+)\)',
                                       (ROOT / "host/app/options.cc").read_text("utf-8")).group(1))
        for name in PLUGINS:
            self.assertGreater(seconds(COMPOSE["services"][name]["stop_grace_period"]), by_default)
            pod = pods()[name]
            container, = pod["containers"]
            told = {each["name"]: each.get("value") for each in container["env"]}
            before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
            self.assertGreater(pod["terminationGracePeriodSeconds"],
                               before + seconds(told["HOST_STOP_TIMEOUT"]))

    def test_what_is_mounted_is_there_or_made_by_the_commands_above(self):
        header = text_of("kubernetes.yaml").split("apiVersion")[0]
        made = set(re.findall(r"(?:generic|scripts) (hogwarts-[\w-]+)", header))
        for path in re.findall(r"--from-file=(\S+)", header):
            self.assertTrue(path == "secrets/" or (ROOT / path).exists(), path)
        for name, pod in pods().items():
            used = {volume[kind][field] for volume in pod["volumes"] for kind, field in
                    (("configMap", "name"), ("secret", "secretName")) if kind in volume}
            self.assertEqual(set(), used - made, name)
            mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
            self.assertEqual({volume["name"] for volume in pod["volumes"]}, mounted, name)
        self.assertLess(sum(file.stat().st_size for file in (ROOT / "plugins").glob("*")), 1 << 20)
        for service in COMPOSE["services"].values():
            for mount in service.get("volumes", []):
                source = mount.split(":")[0]
                self.assertTrue(source in COMPOSE["volumes"] or (HOGWARTS / source).exists(), mount)

    def test_each_gets_the_secrets_of_its_own_role_and_no_others(self):
        header = text_of("compose.yaml").split("name:")[0].replace("\\\n#", " ")
        made = set(re.search(r"for s in ([\w\s]+); do", header).group(1).split())
        self.assertEqual(made, set(COMPOSE["secrets"]))
        for name in PLUGINS:
            self.assertEqual({"ops_token", "metrics_token", "host", f"host_{name}"},
                             set(COMPOSE["services"][name]["secrets"]))
            passwords, = [volume for volume in pods()[name]["volumes"]
                          if volume["name"] == "passwords"]
            self.assertEqual([{"key": key, "path": key} for key in ("host", f"host_{name}")],
                             passwords["secret"]["items"])

    def test_kafka_is_told_nothing_that_it_does_not_know(self):
        ours = (ROOT / "tests/servers/servers/kafka.py").read_text("utf-8")
        told = COMPOSE["services"]["kafka"]["environment"]
        names = [name.removeprefix("KAFKA_").replace("_", ".").lower() for name in told
                 if name.startswith("KAFKA_")]
        self.assertGreater(len(names), 9)
        self.assertEqual([], [name for name in names if f'"{name}"' not in ours])


class EditedConfigMapTest(unittest.TestCase):
    """The kubelet keeps a mounted ConfigMap as links to a folder, and swaps one link."""

    def mount(self, texts):
        """A version of the ConfigMap comes into its folder."""
        self.version += 1
        version = self.volume / f"..2026_{self.version}"
        version.mkdir()
        for name, text in texts.items():
            (version / name).write_text(text, "utf-8")
            if not (self.volume / name).is_symlink():
                (self.volume / name).symlink_to(f"..data/{name}")
        fresh = self.volume / "..data_tmp"
        fresh.symlink_to(version.name)
        fresh.rename(self.volume / "..data")

    def test_a_script_is_taken_when_the_link_is_swapped(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.volume, self.version = folder / "plugins", 0
            self.volume.mkdir()
            self.mount({"counter.lua": process.COUNTER})
            host = process.Host(self, folder, "--plugin", "plugins/counter.lua")
            before = host.plugin()["revision"]
            self.mount({"counter.lua": process.COUNTER.replace("STEP = 1", "STEP = 2")})
            host.wait("the new revision", lambda: host.plugin()["revision"] != before)
            host.kill()


if __name__ == "__main__":
    process.BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
