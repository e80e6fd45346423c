#include "provider/job_watch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <system_error>

namespace mizan::provider {
namespace {

tl::unexpected<Error> system_error(const std::string& what) {
  const int code = errno;
  return fail(Error{ErrorCode::io_error, what + ": " + std::generic_category().message(code)}.with(
      "errno", std::to_string(code)));
}

bool add(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<std::unique_ptr<JobWatch>> JobWatch::start(Tell log_grew, Tell exited) {
  std::unique_ptr<JobWatch> watch(new JobWatch);
  watch->log_grew_ = std::move(log_grew);
  watch->exited_ = std::move(exited);
  watch->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  watch->inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  watch->stop_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!watch->epoll_ || !watch->inotify_ || !watch->stop_ ||
      !add(watch->epoll_.get(), watch->inotify_.get()) ||
      !add(watch->epoll_.get(), watch->stop_.get()))
    return system_error("jobs cannot be watched");
  watch->thread_ = std::thread([each = watch.get()] { each->run(); });
  return watch;
}

JobWatch::~JobWatch() {
  stop();
}

void JobWatch::stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

Result<void> JobWatch::watch_log(const LeaseId& lease, const std::filesystem::path& log) {
  const std::lock_guard lock(mutex_);
  const int number = ::inotify_add_watch(inotify_.get(), log.c_str(), IN_MODIFY);
  if (number < 0) return system_error(log.string() + " cannot be watched");
  leases_[lease].log = number;
  by_log_[number] = lease;
  return {};
}

Result<void> JobWatch::watch_exit(const LeaseId& lease, sandbox::UniqueFd notice) {
  const std::lock_guard lock(mutex_);
  const int fd = notice.get();
  leases_[lease].notice = std::move(notice);
  by_notice_[fd] = lease;
  if (!add(epoll_.get(), fd)) return system_error("the job's exit cannot be watched");
  return {};
}

void JobWatch::rearm(const LeaseId& lease) {
  const std::lock_guard lock(mutex_);
  if (const auto it = leases_.find(lease); it != leases_.end()) it->second.told = false;
}

void JobWatch::forget(const LeaseId& lease) {
  const std::lock_guard lock(mutex_);
  const auto it = leases_.find(lease);
  if (it == leases_.end()) return;
  if (it->second.log >= 0) {
    ::inotify_rm_watch(inotify_.get(), it->second.log);
    by_log_.erase(it->second.log);
  }
  if (it->second.notice) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, it->second.notice.get(), nullptr);
    by_notice_.erase(it->second.notice.get());
  }
  leases_.erase(it);
}

void JobWatch::run() {
  std::array<epoll_event, 64> events{};
  while (true) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == stop_.get()) return;
      if (fd == inotify_.get())
        read_inotify();
      else
        exit_seen(fd);
    }
  }
}

void JobWatch::read_inotify() {
  alignas(inotify_event) std::array<char, 16'384> buffer;
  while (true) {
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) return;
    std::vector<LeaseId> grown;
    {
      const std::lock_guard lock(mutex_);
      for (ssize_t at = 0; at < size;) {
        inotify_event event;
        std::memcpy(&event, buffer.data() + at, sizeof event);
        at += static_cast<ssize_t>(sizeof event + event.len);
        const auto it = by_log_.find(event.wd);
        if (it == by_log_.end() || std::exchange(leases_[it->second].told, true)) continue;
        grown.push_back(it->second);
      }
    }
    for (const LeaseId& lease : grown) log_grew_(lease);
  }
}

void JobWatch::exit_seen(int fd) {
  LeaseId lease;
  {
    const std::lock_guard lock(mutex_);
    const auto it = by_notice_.find(fd);
    if (it == by_notice_.end()) return;
    lease = it->second;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    by_notice_.erase(it);
    leases_[lease].notice.reset();
  }
  exited_(lease);
}

}  // namespace mizan::provider
