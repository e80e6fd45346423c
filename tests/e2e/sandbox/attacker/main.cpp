// What a hostile job does by system call, from inside. Prints "name=OUTCOME" for each attempt,
// where OUTCOME is an errno's name ("EPERM") or "allowed". Static, so that it runs in any image.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <initializer_list>
#include <linux/audit.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void say(const char* name, long result) {
  printf("%s=%s\n", name, result >= 0 ? "allowed" : strerrorname_np(errno));
  fflush(stdout);
}

/// clone() with `flags`; the child ends at once.
long try_clone(unsigned long flags) {
  long pid = syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return pid;
}

long try_clone3(unsigned long flags) {
  clone_args args{};
  args.flags = flags;
  args.exit_signal = SIGCHLD;
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return pid;
}

void namespaces() {
  say("unshare_user", unshare(CLONE_NEWUSER));
  say("unshare_mount", unshare(CLONE_NEWNS));
  say("unshare_files", unshare(CLONE_FILES));
  int own = open("/proc/self/ns/uts", O_RDONLY);
  say("setns", setns(own, 0));
  say("clone_plain", try_clone(0));
  for (unsigned long flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC,
                             CLONE_NEWUTS, CLONE_NEWCGROUP}) {
    char name[32];
    snprintf(name, sizeof name, "clone_%lx", flag);
    say(name, try_clone(flag));
  }
  say("clone3_plain", try_clone3(0));
  say("clone3_user", try_clone3(CLONE_NEWUSER));
}

void tracing() {
  say("ptrace_me", ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  say("ptrace_attach", ptrace(PTRACE_SEIZE, 1, nullptr, nullptr));
  say("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
  say("add_key", syscall(SYS_add_key, "user", "a", "b", 1, KEY_SPEC_PROCESS_KEYRING));
  say("request_key", syscall(SYS_request_key, "user", "a", nullptr, KEY_SPEC_PROCESS_KEYRING));
  say("bpf", syscall(SYS_bpf, 0, nullptr, 0));
  say("perf", syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
  say("userfaultfd", syscall(SYS_userfaultfd, 0));
  say("io_uring", syscall(SYS_io_uring_setup, 1, nullptr));
  say("open_by_handle", syscall(SYS_open_by_handle_at, AT_FDCWD, nullptr, O_RDONLY));
  say("kexec", syscall(SYS_kexec_load, 0, 0, nullptr, 0));
  say("init_module", syscall(SYS_init_module, nullptr, 0, ""));
  say("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef, nullptr));
  say("settimeofday", syscall(SYS_settimeofday, nullptr, nullptr));
  say("swapon", syscall(SYS_swapon, "/tmp/x", 0));
}

void sockets() {
  auto family = [](const char* name, int domain, int type, int protocol) {
    int fd = socket(domain, type, protocol);
    say(name, fd);
    if (fd >= 0) close(fd);
  };
  family("unix", AF_UNIX, SOCK_STREAM, 0);
  family("inet", AF_INET, SOCK_STREAM, 0);
  family("inet6", AF_INET6, SOCK_DGRAM, 0);
  family("netlink_route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  family("netlink_audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
  family("netlink_netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  family("netlink_uevent", AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
  family("packet", AF_PACKET, SOCK_RAW, 0);
  family("raw", AF_INET, SOCK_RAW, IPPROTO_ICMP);
  family("alg", AF_ALG, SOCK_SEQPACKET, 0);
  family("bluetooth", AF_BLUETOOTH, SOCK_RAW, 0);
  family("vsock", AF_VSOCK, SOCK_STREAM, 0);
  family("xdp", AF_XDP, SOCK_RAW, 0);
  // The kernel looks at 32 bits of the family, a careless filter at 64.
  say("vsock_high_bits", syscall(SYS_socket, AF_VSOCK | 1UL << 32, SOCK_STREAM, 0));
}

void files() {
  say("mknod_char", mknod("/tmp/null", S_IFCHR | 0666, makedev(1, 3)));
  say("mknod_block", mknod("/tmp/disk", S_IFBLK | 0666, makedev(8, 0)));
  say("mount_tmpfs", mount("none", "/tmp", "tmpfs", 0, nullptr));
  say("mount_bind", mount("/usr", "/tmp", nullptr, MS_BIND, nullptr));
  say("remount_usr", mount(nullptr, "/usr", nullptr, MS_REMOUNT | MS_BIND, nullptr));
  say("umount", umount2("/proc", MNT_DETACH));
  say("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  say("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/usr", 1));
  say("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
  say("chroot", chroot("/tmp"));
  say("sethostname", sethostname("x", 1));
  say("chown", chown("/workdir", 0, 0));
}

void limits() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  printf("nofile=%lu\n", files.rlim_max);
  files.rlim_cur = files.rlim_max = files.rlim_max + 1;
  say("raise_nofile", setrlimit(RLIMIT_NOFILE, &files));
  long opened = 0;
  while (open("/dev/null", O_RDONLY) >= 0) ++opened;
  printf("open_error=%s\nopened=%ld\n", strerrorname_np(errno), opened);
  say("nice", setpriority(PRIO_PROCESS, 0, -10));
  sched_param urgent{10};
  say("realtime", sched_setscheduler(0, SCHED_FIFO, &urgent));
}

/// The 32-bit entry into the kernel, which a filter for 64 bits knows nothing about.
void other_architecture() {
#if defined(__x86_64__)
  long result = 20;  // getpid there
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  printf("int80=%ld\n", result);
  long x32 = syscall(0x40000000 | SYS_getpid);
  printf("x32=%ld\n", x32);
#endif
}

void fill_memory() {
  for (size_t mib = 1;; ++mib) {
    void* block = malloc(1 << 20);
    if (block == nullptr) break;
    memset(block, 1, 1 << 20);
    printf("mib=%zu\n", mib);
    fflush(stdout);
  }
}

void fork_bomb() {
  long forked = 0, refused = 0;
  while (refused < 1000) {
    pid_t pid = fork();
    if (pid == 0) pause();
    if (pid > 0) ++forked;
    if (pid < 0) ++refused;
  }
  printf("forked=%ld\nfork_error=%s\n", forked, strerrorname_np(errno));
}

/// A daemon that has left its parent, its session and its group.
void daemonize() {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      signal(SIGTERM, SIG_IGN);
      signal(SIGHUP, SIG_IGN);
      while (true) pause();
    }
    _exit(0);
  }
  wait(nullptr);
  printf("daemon=up\n");
}

}  // namespace

int main(int argc, char** argv) {
  const char* attack = argc > 1 ? argv[1] : "";
  if (strcmp(attack, "namespaces") == 0) namespaces();
  if (strcmp(attack, "tracing") == 0) tracing();
  if (strcmp(attack, "sockets") == 0) sockets();
  if (strcmp(attack, "files") == 0) files();
  if (strcmp(attack, "limits") == 0) limits();
  if (strcmp(attack, "other-architecture") == 0) other_architecture();
  if (strcmp(attack, "memory") == 0) fill_memory();
  if (strcmp(attack, "forks") == 0) fork_bomb();
  if (strcmp(attack, "daemon") == 0) daemonize();
  return 0;
}
