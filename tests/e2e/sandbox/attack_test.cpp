// A hostile job against each promise of the sandbox: system calls, namespaces, files, devices.
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"
#include "sandbox/sys.hpp"

#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>

namespace mizan::sandbox::testing {

class AttackTest : public SandboxTest {
 protected:
  /// None of `names` may have been "allowed", and each must have been tried.
  static void expect_refused(const Outcome& outcome, const std::vector<std::string>& names) {
    for (const auto& name : names) {
      auto result = outcome.value(name);
      EXPECT_FALSE(result.empty()) << name << " was not tried: " << outcome.err;
      EXPECT_NE(result, "allowed") << name;
    }
  }
};

TEST_F(AttackTest, NamespacesCannotBeMade) {
  auto outcome = run(attacker({"namespaces"}));
  expect_refused(outcome, {"unshare_user", "unshare_mount", "unshare_files", "setns",
                           "clone_10000000", "clone_20000", "clone_20000000", "clone_40000000",
                           "clone_8000000", "clone_4000000", "clone_2000000"});
  EXPECT_EQ(outcome.value("clone_plain"), "allowed");
  EXPECT_EQ(outcome.value("clone3_plain"), "ENOSYS");  // so that libc falls back to clone
  EXPECT_EQ(outcome.value("clone3_user"), "ENOSYS");
}

TEST_F(AttackTest, TracingKeyringsAndPrivilegedCallsAreRefused) {
  auto outcome = run(attacker({"tracing"}));
  expect_refused(outcome, {"ptrace_me", "ptrace_attach", "keyctl", "add_key", "request_key", "bpf",
                           "perf", "userfaultfd", "io_uring", "open_by_handle", "kexec",
                           "init_module", "reboot", "settimeofday", "swapon"});
}

TEST_F(AttackTest, OnlyFourSocketFamiliesOpen) {
  auto outcome = run(attacker({"sockets"}));
  for (const auto* name : {"unix", "inet", "inet6", "netlink_route"})
    EXPECT_EQ(outcome.value(name), "allowed") << name;
  expect_refused(outcome, {"netlink_audit", "netlink_netfilter", "netlink_uevent", "packet", "raw",
                           "alg", "bluetooth", "vsock", "xdp", "vsock_high_bits"});
}

TEST_F(AttackTest, OtherArchitecturesAreDeadly) {
  auto outcome = run(attacker({"other-architecture"}));
  EXPECT_EQ(outcome.value("int80"), "") << "the 32-bit entry answered";
  EXPECT_NE(outcome.state.exit_code, 0);
}

TEST_F(AttackTest, NodesMountsAndRootsAreRefused) {
  auto outcome = run(attacker({"files"}));
  expect_refused(outcome,
                 {"mknod_char", "mknod_block", "mount_tmpfs", "mount_bind", "remount_usr", "umount",
                  "fsopen", "open_tree", "pivot_root", "chroot", "sethostname", "chown"});
}

TEST_F(AttackTest, HasNoCapabilitiesAndGetsNone) {
  auto outcome = run(
      shell("grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)' /proc/self/status;"
            "cp /usr/bin/python3 /tmp/p && chmod 6755 /tmp/p && /tmp/p -c 'import os; "
            "print(\"own=%d\" % os.geteuid())';"
            "for f in su sudo mount passwd newgrp; do [ -u /usr/bin/$f ] && echo setuid=$f; done;"
            "su -c id root </dev/null && echo su=allowed; true"));
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Cap")) {
      EXPECT_TRUE(line.ends_with("\t0000000000000000")) << line;
    }
  }
  EXPECT_NE(outcome.out.find("NoNewPrivs:\t1"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("Seccomp:\t2"), std::string::npos);
  EXPECT_NE(outcome.out.find("Uid:\t1000\t1000\t1000\t1000"), std::string::npos);
  EXPECT_EQ(outcome.value("own"), "1000");
  EXPECT_EQ(outcome.value("su"), "");
}

TEST_F(AttackTest, SeesNothingElseOfTheMachinesFiles) {
  auto marker = folder_->path / "marker";
  write_whole(marker, "secret");
  auto outcome = run(
      shell("for f in /sys /sys/kernel /boot /root /opt /srv /mnt /media /var/lib /var/log "
            "/etc/shadow /etc/ssh "
            "/etc/machine-id /home/* " +
            marker.string() + " " + folder_->path.string() +
            "; do [ -e $f ] && echo seen=$f; done; ls /home; ls /etc | tr '\\n' ' '; echo; ls / | "
            "tr '\\n' ' '; echo;"
            "head -c 1 /proc/kcore | wc -c; cat /proc/keys /proc/timer_list /proc/kallsyms | wc -c;"
            "echo 1 > /proc/sys/kernel/panic; echo b > /proc/sysrq-trigger; cat /etc/passwd"));
  EXPECT_EQ(outcome.value("seen"), "/home/job") << outcome.out;
  EXPECT_NE(
      outcome.out.find("alternatives group hostname hosts ld.so.cache localtime nsswitch.conf "
                       "passwd resolv.conf ssl \n"),
      std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find("\n0\n0\nroot:x:0:0"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("panic"), std::string::npos);
  EXPECT_NE(outcome.err.find("sysrq-trigger"), std::string::npos);
}

TEST_F(AttackTest, CannotWriteToWhatIsTheMachines) {
  auto before = std::filesystem::last_write_time("/usr/bin");
  auto outcome = run(shell(
      "for d in /usr /usr/bin /usr/local/lib /etc/alternatives /etc/ssl/certs /proc /proc/sys "
      "/sys; do "
      "touch $d/planted && echo wrote=$d; done; echo x >> /etc/ld.so.cache && echo wrote=cache;"
      "echo x >> /etc/nsswitch.conf && echo wrote=nsswitch; echo x >> /etc/passwd && echo "
      "wrote=passwd;"
      "mv /usr /usr2 && echo wrote=root; echo x >> /dev/init && echo wrote=init; mkdir /logs && "
      "echo own=ok"));
  EXPECT_EQ(outcome.value("wrote"), "") << outcome.out;
  EXPECT_EQ(outcome.value("own"), "ok");
  EXPECT_EQ(std::filesystem::last_write_time("/usr/bin"), before);
}

TEST_F(AttackTest, HasOnlyTheDefaultDevices) {
  auto outcome =
      run(shell("ls /dev | tr '\\n' ' '; echo; cat /dev/kmsg /dev/mem /dev/vda /dev/fuse; "
                "find /dev -type b | wc -l"));
  EXPECT_NE(outcome.out.find(
                "fd full init null ptmx pts random shm stderr stdin stdout tty urandom zero \n"),
            std::string::npos)
      << outcome.out;
  EXPECT_TRUE(outcome.out.ends_with("\n0\n")) << outcome.out;
}

TEST_F(AttackTest, SeesNoProcessButItsOwn) {
  auto outcome = run(
      python("import os, signal\n"
             "print('pids=%s' % ' '.join(sorted(p for p in os.listdir('/proc') if p.isdigit())))\n"
             "print('me=%d' % os.getpid())\n"
             "hit = 0\n"
             "for pid in list(range(3, 70000)):\n"
             "    try: os.kill(pid, 0); hit += pid != os.getpid()\n"
             "    except OSError: pass\n"
             "print('hit=%d' % hit)\n"
             "try: os.kill(-1, signal.SIGCONT)\n"
             "except OSError as e: print(e)\n"
             "print('init=%s' % os.readlink('/proc/1/root') if os.access('/proc/1/root', os.R_OK) "
             "else 'init=no')\n"
             "print('cgroup=%s' % open('/proc/self/cgroup').read().count('/mizan'))\n"));
  EXPECT_EQ(outcome.value("pids"), "1 " + outcome.value("me")) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.value("hit"), "0");
  EXPECT_EQ(outcome.value("cgroup"), "0");  // its own cgroup namespace: it does not see its place
}

TEST_F(AttackTest, HasNoNetworkButItsOwnLoopback) {
  // Something of the machine listens, on its loopback and by an abstract name.
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  socklen_t length = sizeof address;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  std::string port = std::to_string(ntohs(address.sin_port));
  auto outcome =
      run(python("import socket\n"
                 "print('links=%s' % ' '.join(n for _, n in socket.if_nameindex()))\n"
                 "def to(name, where):\n"
                 "    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM); s.settimeout(2)\n"
                 "    try: s.connect(where); print(name + '=connected')\n"
                 "    except OSError as e: print(name + '=' + type(e).__name__ + str(e.errno))\n"
                 "to('machine', ('127.0.0.1', " +
                 port +
                 "))\n"
                 "to('internet', ('1.1.1.1', 80))\n"
                 "to('metadata', ('169.254.169.254', 80))\n"
                 "own = socket.socket(); own.bind(('127.0.0.1', 0)); own.listen()\n"
                 "to('own', own.getsockname())\n"));
  EXPECT_EQ(outcome.value("links"), "lo") << outcome.out << outcome.err;
  for (const auto* name : {"machine", "internet", "metadata"}) {
    EXPECT_NE(outcome.value(name), "connected") << name;
    EXPECT_NE(outcome.value(name), "") << name;
  }
  EXPECT_EQ(outcome.value("own"), "connected");
}

TEST_F(AttackTest, TwoJobsHaveNothingInCommon) {
  auto first = shell(
      "echo mine > /tmp/mine; ipcmk -M 4096 >/dev/null; id=$(cat /proc/self/uid_map); echo $id; "
      "sleep 1000");
  ASSERT_TRUE(box().prepare(first));
  ASSERT_TRUE(box().start(first.id));
  ASSERT_TRUE(wait_output(first.id, "65536"));
  auto second =
      run(shell("cat /proc/self/uid_map; ls /tmp; ipcs -m | grep -c 0x; ls /dev/shm; hostname"));
  EXPECT_NE(second.out.substr(0, second.out.find('\n')), output(first.id));
  EXPECT_EQ(second.out.find("mine"), std::string::npos);
  EXPECT_NE(second.out.find("\n0\njob\n"), std::string::npos) << second.out;
  // Even as root of the machine, the two are of different users.
  std::istringstream one(output(first.id)), two(second.out);
  uint64_t zero, base_one, base_two;
  one >> zero >> base_one;
  two >> zero >> base_two;
  EXPECT_GE(base_one, 0x70000000U);
  EXPECT_GE(base_two > base_one ? base_two - base_one : base_one - base_two, 65536U);
}

TEST_F(AttackTest, ADiskIsNeverUsedTwice) {
  std::string secret = "secret-of-the-first-" + new_id();
  auto first = python("open('/tmp/f', 'w').write('" + secret +
                      "' * 200000)\n"
                      "import os; os.sync(); print('wrote')");
  EXPECT_EQ(run(first).out, "wrote\n");
  ASSERT_TRUE(box().destroy(first.id));
  // The second reads its whole disk through the only view it has, and we the device itself.
  auto second = shell(
      "cat /tmp/* 2>/dev/null; find / -xdev -type f 2>/dev/null | xargs cat 2>/dev/null | grep -c "
      "secret-of");
  second.limits.disk_bytes = 64 * kMiB;
  EXPECT_EQ(run(second).out, "0\n");
  for (const auto& disk : names_in(options().state_folder / "disks"))
    EXPECT_EQ(read_whole(options().state_folder / "disks" / disk / "image").find(secret),
              std::string::npos);
}

}  // namespace mizan::sandbox::testing
