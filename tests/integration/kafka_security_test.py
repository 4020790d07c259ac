#!/usr/bin/env python3
"""The binary on a Kafka that wants TLS and a password; tests/servers/with postgres starts the store.

usage: kafka_security_test.py HOST_BINARY [TEST...]
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import host_process_test as process
import servers_test

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
from servers import Kafka  # noqa: E402
from servers.server import free_ports  # noqa: E402


class SecureKafka(Kafka):
    """Beside the plain listener, which its own start looks at, one with TLS and SASL: user `host`."""

    PASSWORD = "alohomora"
    format_options = ("--add-scram", f"SCRAM-SHA-512=[name=host,password={PASSWORD}]")

    def __init__(self, folder, certificate):
        super().__init__(folder)
        self.secure, = free_ports(1)
        modules = "org.apache.kafka.common.security"
        self.settings = {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{self.controller},SECURE://127.0.0.1:{self.secure}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
                                    f"SECURE://127.0.0.1:{self.secure}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
            "listener.name.secure.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.secure.plain.sasl.jaas.config":
                f'{modules}.plain.PlainLoginModule required user_host="{self.PASSWORD}";',
            "listener.name.secure.scram-sha-512.sasl.jaas.config":
                f"{modules}.scram.ScramLoginModule required;",
            "listener.name.secure.ssl.keystore.type": "PEM",
            "listener.name.secure.ssl.keystore.location": certificate}


def make_certificate(folder):
    """Key and certificate of 127.0.0.1, which signs itself, in one file."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem",
         "-out", folder / "ca.pem", "-days", "2", "-subj", "/CN=kafka",
         "-addext", "subjectAltName=IP:127.0.0.1"], capture_output=True, check=True)
    both = folder / "kafka.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "ca.pem").read_text())
    return both


class KafkaSecurityTest(servers_test.ServersCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        temporary = tempfile.TemporaryDirectory(prefix="kafka_security_")
        cls.addClassCleanup(temporary.cleanup)
        cls.keys = pathlib.Path(temporary.name)
        (cls.keys / "kafka").mkdir()
        cls.kafka = SecureKafka(cls.keys / "kafka", make_certificate(cls.keys))
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.prepare()
        cls.kafka.start()

    def log(self, mechanism="SCRAM-SHA-512", ca=None):
        return (f"kafka://127.0.0.1:{self.kafka.secure}?security.protocol=SASL_SSL"
                f"&sasl.mechanism={mechanism}&sasl.username=host&sasl.password=env:KAFKA_PASSWORD"
                f"&ssl.ca.location={ca or self.keys / 'ca.pem'}")

    def environment(self, **more):
        return super().environment(**{"KAFKA_PASSWORD": SecureKafka.PASSWORD, **more})

    def test_messages_travel_with_tls_and_each_kind_of_password(self):
        total = 0
        for mechanism in ("PLAIN", "SCRAM-SHA-512"):
            host = self.host(log=self.log(mechanism), name=mechanism)
            self.hit(host)
            total += 1
            self.total_becomes(host, total)
            self.assertEqual(0, host.stop())
            self.assertNotIn(SecureKafka.PASSWORD, host.logged())

    def test_a_wrong_password_is_said_and_ends_with_3(self):
        for mechanism in ("PLAIN", "SCRAM-SHA-512"):
            code, said = self.ends(log=self.log(mechanism),
                                   environment=self.environment(KAFKA_PASSWORD="lumos"))
            self.assertEqual(3, code, said)
            self.assertRegex(said, "(?i)authentication failed.*look at sasl.username")
            self.assertNotIn("lumos", said)

    def test_a_broker_that_the_certificate_authority_does_not_know_is_named(self):
        (self.keys / "other").mkdir()
        make_certificate(self.keys / "other")
        code, said = self.ends(log=self.log(ca=self.keys / "other" / "ca.pem"))
        self.assertEqual(3, code, said)
        self.assertRegex(said, "certificate verify failed.*look at .*ssl.ca.location")


if __name__ == "__main__":
    process.BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
