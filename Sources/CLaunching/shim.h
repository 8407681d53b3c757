// What starting and watching processes needs of the kernel, and Swift cannot say: fork, variadic calls, macros of wait.h.
#ifndef NNDIST_CLAUNCHING_SHIM_H
#define NNDIST_CLAUNCHING_SHIM_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

// Starts a program in a session of its own, where the terminal's Ctrl-C does not reach it, with empty standard input and
// no signal blocked. It is sent SIGTERM when the thread that started it ends. Its identifier, or -1.
static inline pid_t nndist_start(const char *path, char *const arguments[], char *const environment[], int output,
                                 int errors) {
  pid_t parent = getpid();
  pid_t child = fork();
  if (child != 0) return child;
  sigset_t none;
  sigemptyset(&none);
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  int input = open("/dev/null", O_RDONLY);
  if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(errors, STDERR_FILENO) < 0)
    _exit(126);
  if (input > STDERR_FILENO) close(input);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, 0);
  execve(path, arguments, environment);
  _exit(127);
}

// Whether this process was started with a signal ignored, as `nohup` does with SIGHUP.
static inline int nndist_is_ignored(int number) {
  struct sigaction action;
  return sigaction(number, 0, &action) == 0 && action.sa_handler == SIG_IGN;
}

// Makes signals readable from a descriptor in place of what they did; -1 where that fails.
static inline int nndist_signal_descriptor(const int *numbers, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, numbers[i]);
  if (sigprocmask(SIG_BLOCK, &set, 0) != 0) return -1;
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

// The next signal of such a descriptor; 0 when there is none.
static inline int nndist_next_signal(int descriptor) {
  struct signalfd_siginfo information;
  return read(descriptor, &information, sizeof information) == sizeof information ? (int)information.ssi_signo : 0;
}

// Lets descendants whose parent ends become children of this process, to be found and reaped.
static inline void nndist_adopt_orphans(void) { prctl(PR_SET_CHILD_SUBREAPER, 1); }

// A child that has ended, with its exit status or 128 and the number of the signal that killed it; 0 when there is none.
static inline pid_t nndist_reap(int *status, int *number) {
  int raw = 0;
  pid_t child;
  do child = waitpid(-1, &raw, WNOHANG);
  while (child < 0 && errno == EINTR);
  if (child <= 0) return 0;
  *number = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0;
  *status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
  return child;
}

// A pipe whose ends no child inherits by accident, and whose reader never waits.
static inline int nndist_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

#endif
