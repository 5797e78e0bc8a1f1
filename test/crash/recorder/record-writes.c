/*
 * Records, in one global order, every call of a process tree that changes something below a folder.
 * Loaded by LD_PRELOAD; children inherit it.
 *
 *   HOLDFAST_RECORD_ROOT   absolute, free of symlinks; what lies elsewhere is not recorded
 *   HOLDFAST_RECORD_LOG    appended to, one record a call (layout: write-log.ts); `<log>.lock` beside it, 4 KiB of zeros
 *   HOLDFAST_RECORD_POOL   a folder on the same file system: every inode that is made gets a second name there, so
 *                          that inode numbers are never used twice and a tree can be laid out again with the same ones
 *
 * The lock is held from before the call until its record is written, so that the order of records is the order of
 * effects. Sidecars that SQLite maps into memory (-shm) are not durable by design, and are left out.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum operation {
  MAKE_FILE = 1, MAKE_DIRECTORY, MAKE_SYMLINK, LINK, RENAME, UNLINK, REMOVE_DIRECTORY,
  WRITE, SET_SIZE, CHANGE_MODE, SYNC_FILE, SYNC_DIRECTORY
};

/* Followed by two byte strings. Little-endian, as every machine this runs on. */
struct record {
  uint32_t operation;
  uint32_t mode;
  uint64_t inode;
  int64_t offset;
  uint32_t first_bytes;
  uint32_t second_bytes;
};

static char root[PATH_MAX];
static size_t root_bytes;
static char pool[PATH_MAX];
static int log_descriptor = -1;
static volatile int *lock_word;

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  const char *given = getenv("HOLDFAST_RECORD_ROOT");
  const char *log = getenv("HOLDFAST_RECORD_LOG");
  const char *second_names = getenv("HOLDFAST_RECORD_POOL");
  if (given == NULL || log == NULL || second_names == NULL) return;
  snprintf(pool, sizeof pool, "%s", second_names);
  char lock_path[PATH_MAX];
  snprintf(lock_path, sizeof lock_path, "%s.lock", log);
  int lock = (int)syscall(SYS_openat, AT_FDCWD, lock_path, O_RDWR | O_CLOEXEC);
  if (lock < 0) abort();
  lock_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, lock, 0);
  syscall(SYS_close, lock);
  if (lock_word == MAP_FAILED) abort();
  log_descriptor = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (log_descriptor < 0) abort();
  snprintf(root, sizeof root, "%s", given);
  root_bytes = strlen(root);
}

/* A holder that was killed is noticed by whoever waits. */
static void take_lock(void) {
  int self = (int)syscall(SYS_gettid);
  for (unsigned spins = 1;; spins += 1) {
    int holder = __sync_val_compare_and_swap(lock_word, 0, self);
    if (holder == 0) return;
    if (spins % 64 != 0) continue;
    struct timespec pause = {0, 50000};
    nanosleep(&pause, NULL);
    if (spins % 4096 == 0 && kill(holder, 0) != 0 && errno == ESRCH) {
      if (__sync_bool_compare_and_swap(lock_word, holder, self)) return;
    }
  }
}

static void release_lock(void) {
  __sync_synchronize();
  *lock_word = 0;
}

static void put(enum operation operation, uint32_t mode, uint64_t inode, int64_t offset,
                const void *first, size_t first_bytes, const void *second, size_t second_bytes) {
  struct record head = {operation, mode, inode, offset, (uint32_t)first_bytes, (uint32_t)second_bytes};
  struct iovec parts[3] = {{&head, sizeof head}, {(void *)first, first_bytes}, {(void *)second, second_bytes}};
  ssize_t expected = (ssize_t)(sizeof head + first_bytes + second_bytes);
  if (syscall(SYS_writev, log_descriptor, parts, 3) != expected) abort();
}

static int ends_with(const char *text, const char *end) {
  size_t text_bytes = strlen(text), end_bytes = strlen(end);
  return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

/* The path below the root, or NULL where it lies elsewhere. */
static const char *below(const char *path) {
  if (root_bytes == 0 || path == NULL) return NULL;
  if (strncmp(path, root, root_bytes) != 0) return NULL;
  if (path[root_bytes] == 0) return "";
  if (path[root_bytes] != '/') return NULL;
  return ends_with(path, "-shm") ? NULL : path + root_bytes + 1;
}

/* Absolute. */
#define DESCRIPTORS "/proc/self/fd/"

/* "/proc/self/fd/7/name" is a name in the directory that is open there. */
static const char *through_descriptor(const char *path, char *buffer) {
  const char *number = path + strlen(DESCRIPTORS);
  const char *rest = strchr(number, '/');
  if (rest == NULL) return path;
  char link_name[64];
  if (snprintf(link_name, sizeof link_name, "%.*s", (int)(rest - path), path) >= (int)sizeof link_name) return path;
  ssize_t bytes = readlink(link_name, buffer, PATH_MAX - 1);
  if (bytes < 0 || bytes + strlen(rest) >= PATH_MAX) return path;
  strcpy(buffer + bytes, rest);
  return buffer;
}

static const char *absolute(const char *path, char *buffer) {
  if (path == NULL) return path;
  if (strncmp(path, DESCRIPTORS, strlen(DESCRIPTORS)) == 0) return through_descriptor(path, buffer);
  if (path[0] == '/') return path;
  char here[PATH_MAX];
  if (getcwd(here, sizeof here) == NULL) return NULL;
  if (snprintf(buffer, PATH_MAX, "%s/%s", here, path) >= PATH_MAX) return NULL;
  return buffer;
}

/* What a descriptor stands for, below the root: 'f', 'd', or 0 for anything else. */
static char described(int descriptor, struct stat *status, char *path) {
  if (root_bytes == 0 || descriptor == log_descriptor) return 0;
  if (fstat(descriptor, status) != 0) return 0;
  if (!S_ISREG(status->st_mode) && !S_ISDIR(status->st_mode)) return 0;
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
  ssize_t bytes = readlink(name, path, PATH_MAX - 1);
  if (bytes < 0) return 0;
  path[bytes] = 0;
  if (S_ISREG(status->st_mode) && ends_with(path, "-shm (deleted)")) return 0;
  if (below(path) == NULL) return 0;
  return S_ISDIR(status->st_mode) ? 'd' : 'f';
}

static void keep_inode(const char *path, uint64_t inode) {
  char name[PATH_MAX + 32];
  snprintf(name, sizeof name, "%s/%llu", pool, (unsigned long long)inode);
  if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, name, 0) != 0) abort();
}

static int open_recorded(int (*real)(const char *, int, ...), const char *given, int flags, mode_t mode) {
  char buffer[PATH_MAX], target[PATH_MAX];
  const char *path = absolute(given, buffer);
  if (below(path) == NULL || (flags & (O_CREAT | O_TRUNC)) == 0) return real(given, flags, mode);
  take_lock();
  struct stat before, status;
  int existed = stat(path, &before) == 0;
  int descriptor = real(given, flags, mode);
  int failure = errno;
  if (descriptor >= 0 && described(descriptor, &status, target) == 'f') {
    if (!existed) {
      keep_inode(target, status.st_ino);
      put(MAKE_FILE, status.st_mode & 07777, status.st_ino, 0, below(target), strlen(below(target)), NULL, 0);
    } else if ((flags & O_TRUNC) != 0 && before.st_size > 0) {
      put(SET_SIZE, 0, status.st_ino, 0, NULL, 0, NULL, 0);
    }
  }
  release_lock();
  errno = failure;
  return descriptor;
}

int open(const char *path, int flags, ...) {
  REAL(open);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_recorded((int (*)(const char *, int, ...))real, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  REAL(open64);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_recorded((int (*)(const char *, int, ...))real, path, flags, mode);
}

static void put_parts(uint64_t inode, int64_t offset, const struct iovec *parts, int count, ssize_t written) {
  for (int index = 0; index < count && written > 0; index += 1) {
    ssize_t bytes = (ssize_t)parts[index].iov_len < written ? (ssize_t)parts[index].iov_len : written;
    if (bytes > 0) put(WRITE, 0, inode, offset, NULL, 0, parts[index].iov_base, (size_t)bytes);
    offset += bytes;
    written -= bytes;
  }
}

/* `offset` < 0: where the descriptor stands. */
#define RECORDED_WRITE(descriptor, at, parts, count, call)                                   \
  struct stat status;                                                                        \
  char path[PATH_MAX];                                                                       \
  int before = errno;                                                                        \
  if (described(descriptor, &status, path) != 'f') { errno = before; return call; }          \
  take_lock();                                                                               \
  ssize_t written = call;                                                                    \
  int failure = errno;                                                                       \
  if (written > 0) {                                                                         \
    int64_t start = (at) >= 0 ? (int64_t)(at) : (int64_t)lseek(descriptor, 0, SEEK_CUR) - written; \
    put_parts(status.st_ino, start, parts, count, written);                                  \
  }                                                                                          \
  release_lock();                                                                            \
  errno = failure;                                                                           \
  return written;

ssize_t write(int descriptor, const void *bytes, size_t count) {
  REAL(write);
  struct iovec part = {(void *)bytes, count};
  RECORDED_WRITE(descriptor, -1, &part, 1, real(descriptor, bytes, count))
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  REAL(writev);
  RECORDED_WRITE(descriptor, -1, parts, count, real(descriptor, parts, count))
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  REAL(pwrite);
  struct iovec part = {(void *)bytes, count};
  RECORDED_WRITE(descriptor, offset, &part, 1, real(descriptor, bytes, count, offset))
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  REAL(pwrite64);
  struct iovec part = {(void *)bytes, count};
  RECORDED_WRITE(descriptor, offset, &part, 1, real(descriptor, bytes, count, offset))
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
  REAL(pwritev);
  RECORDED_WRITE(descriptor, offset, parts, count, real(descriptor, parts, count, offset))
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) {
  REAL(pwritev64);
  RECORDED_WRITE(descriptor, offset, parts, count, real(descriptor, parts, count, offset))
}

static int size_recorded(int (*real)(int, off64_t), int descriptor, off64_t bytes) {
  struct stat status;
  char path[PATH_MAX];
  if (described(descriptor, &status, path) != 'f') return real(descriptor, bytes);
  take_lock();
  int result = real(descriptor, bytes);
  int failure = errno;
  if (result == 0) put(SET_SIZE, 0, status.st_ino, bytes, NULL, 0, NULL, 0);
  release_lock();
  errno = failure;
  return result;
}

int ftruncate(int descriptor, off_t bytes) {
  REAL(ftruncate);
  return size_recorded((int (*)(int, off64_t))real, descriptor, bytes);
}

int ftruncate64(int descriptor, off64_t bytes) {
  REAL(ftruncate64);
  return size_recorded(real, descriptor, bytes);
}

/* Allocation alone shows as nothing; one that makes a file longer shows as its new size. */
int fallocate(int descriptor, int mode, off_t offset, off_t bytes) {
  REAL(fallocate);
  struct stat status, after;
  char path[PATH_MAX];
  if (described(descriptor, &status, path) != 'f') return real(descriptor, mode, offset, bytes);
  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) { errno = EOPNOTSUPP; return -1; }
  take_lock();
  int result = real(descriptor, mode, offset, bytes);
  int failure = errno;
  if (result == 0 && fstat(descriptor, &after) == 0 && after.st_size != status.st_size) {
    put(SET_SIZE, 0, status.st_ino, after.st_size, NULL, 0, NULL, 0);
  }
  release_lock();
  errno = failure;
  return result;
}

/* Bytes that the kernel copied are read back. */
static void put_copied(int descriptor, uint64_t inode, int64_t start, ssize_t copied) {
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
  int again = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  char *bytes = malloc((size_t)copied + 1);
  if (again < 0 || bytes == NULL || pread(again, bytes, (size_t)copied, start) != copied) abort();
  put(WRITE, 0, inode, start, NULL, 0, bytes, (size_t)copied);
  free(bytes);
  syscall(SYS_close, again);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
  REAL(sendfile64);
  struct stat status;
  char path[PATH_MAX];
  if (described(to, &status, path) != 'f') return real(to, from, offset, count);
  take_lock();
  ssize_t copied = real(to, from, offset, count);
  int failure = errno;
  if (copied > 0) put_copied(to, status.st_ino, lseek(to, 0, SEEK_CUR) - copied, copied);
  release_lock();
  errno = failure;
  return copied;
}

/* Node copies by syscall(SYS_copy_file_range). */
long syscall(long number, ...) {
  static long (*real)(long, ...) = NULL;
  if (real == NULL) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  va_list rest;
  va_start(rest, number);
  long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
  long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_copy_file_range && root_bytes > 0) {
    struct stat status;
    char path[PATH_MAX];
    int to = (int)c;
    off64_t *place = (off64_t *)d;
    if (described(to, &status, path) == 'f') {
      take_lock();
      long copied = real(number, a, b, c, d, e, f);
      int failure = errno;
      int64_t end = place != NULL ? *place : lseek(to, 0, SEEK_CUR);
      if (copied > 0) put_copied(to, status.st_ino, end - copied, copied);
      release_lock();
      errno = failure;
      return copied;
    }
  }
#ifdef SYS_io_uring_enter
  /* What goes through a ring cannot be seen: libuv falls back to plain calls. */
  if (number == SYS_io_uring_setup && root_bytes > 0) { errno = ENOSYS; return -1; }
#endif
  return real(number, a, b, c, d, e, f);
}

/* Clones share their bytes; the caller falls back to copying them. */
int ioctl(int descriptor, unsigned long request, ...) {
  REAL(ioctl);
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (request == FICLONE || request == FICLONERANGE) {
    struct stat status;
    char path[PATH_MAX];
    if (described(descriptor, &status, path) == 'f') { errno = EOPNOTSUPP; return -1; }
  }
  return real(descriptor, request, argument);
}

static int sync_recorded(int (*real)(int), int descriptor) {
  struct stat status;
  char path[PATH_MAX];
  char kind = described(descriptor, &status, path);
  if (kind == 0) return real(descriptor);
  take_lock();
  int result = real(descriptor);
  int failure = errno;
  if (result == 0 && kind == 'f') put(SYNC_FILE, 0, status.st_ino, 0, NULL, 0, NULL, 0);
  if (result == 0 && kind == 'd') put(SYNC_DIRECTORY, 0, status.st_ino, 0, below(path), strlen(below(path)), NULL, 0);
  release_lock();
  errno = failure;
  return result;
}

int fsync(int descriptor) { REAL(fsync); return sync_recorded(real, descriptor); }
int fdatasync(int descriptor) { REAL(fdatasync); return sync_recorded(real, descriptor); }

static void put_status(enum operation operation, const char *path, const char *second) {
  struct stat status;
  if (lstat(path, &status) != 0) abort();
  if (!S_ISDIR(status.st_mode) && operation != CHANGE_MODE && operation != LINK) keep_inode(path, status.st_ino);
  put(operation, status.st_mode & 07777, status.st_ino, 0, below(path), strlen(below(path)),
      second, second == NULL ? 0 : strlen(second));
}

int mkdir(const char *given, mode_t mode) {
  REAL(mkdir);
  char buffer[PATH_MAX];
  const char *path = absolute(given, buffer);
  if (below(path) == NULL) return real(given, mode);
  take_lock();
  int result = real(given, mode);
  int failure = errno;
  if (result == 0) put_status(MAKE_DIRECTORY, path, NULL);
  release_lock();
  errno = failure;
  return result;
}

char *mkdtemp(char *given) {
  REAL(mkdtemp);
  if (below(given) == NULL) return real(given);
  take_lock();
  char *made = real(given);
  int failure = errno;
  if (made != NULL) put_status(MAKE_DIRECTORY, made, NULL);
  release_lock();
  errno = failure;
  return made;
}

int symlink(const char *target, const char *given) {
  REAL(symlink);
  char buffer[PATH_MAX];
  const char *path = absolute(given, buffer);
  if (below(path) == NULL) return real(target, given);
  take_lock();
  int result = real(target, given);
  int failure = errno;
  if (result == 0) put_status(MAKE_SYMLINK, path, target);
  release_lock();
  errno = failure;
  return result;
}

/* A link from outside would bring in an inode that nothing is known of; none is made. */
int link(const char *given_from, const char *given_to) {
  REAL(link);
  char from_buffer[PATH_MAX], to_buffer[PATH_MAX];
  const char *from = absolute(given_from, from_buffer), *to = absolute(given_to, to_buffer);
  if (below(to) == NULL) return real(given_from, given_to);
  if (below(from) == NULL) { errno = EXDEV; return -1; }
  take_lock();
  int result = real(given_from, given_to);
  int failure = errno;
  if (result == 0) put_status(LINK, to, NULL);
  release_lock();
  errno = failure;
  return result;
}

int rename(const char *given_from, const char *given_to) {
  REAL(rename);
  char from_buffer[PATH_MAX], to_buffer[PATH_MAX];
  const char *from = absolute(given_from, from_buffer), *to = absolute(given_to, to_buffer);
  if (below(from) == NULL && below(to) == NULL) return real(given_from, given_to);
  if (below(from) == NULL || below(to) == NULL) { errno = EXDEV; return -1; }
  take_lock();
  struct stat left, right;
  int same = lstat(from, &left) == 0 && lstat(to, &right) == 0 && left.st_ino == right.st_ino;
  int result = real(given_from, given_to);
  int failure = errno;
  /* Two names of one file: rename(2) does nothing then. */
  if (result == 0 && !same) put(RENAME, 0, left.st_ino, 0, below(from), strlen(below(from)), below(to), strlen(below(to)));
  release_lock();
  errno = failure;
  return result;
}

static int remove_recorded(int (*real)(const char *), const char *given, enum operation operation) {
  char buffer[PATH_MAX];
  const char *path = absolute(given, buffer);
  if (below(path) == NULL) return real(given);
  take_lock();
  int result = real(given);
  int failure = errno;
  if (result == 0) put(operation, 0, 0, 0, below(path), strlen(below(path)), NULL, 0);
  release_lock();
  errno = failure;
  return result;
}

int unlink(const char *path) { REAL(unlink); return remove_recorded(real, path, UNLINK); }
int rmdir(const char *path) { REAL(rmdir); return remove_recorded(real, path, REMOVE_DIRECTORY); }

int chmod(const char *given, mode_t mode) {
  REAL(chmod);
  char buffer[PATH_MAX];
  const char *path = absolute(given, buffer);
  if (below(path) == NULL) return real(given, mode);
  take_lock();
  int result = real(given, mode);
  int failure = errno;
  if (result == 0) put_status(CHANGE_MODE, path, NULL);
  release_lock();
  errno = failure;
  return result;
}

int fchmod(int descriptor, mode_t mode) {
  REAL(fchmod);
  struct stat status;
  char path[PATH_MAX];
  char kind = described(descriptor, &status, path);
  if (kind == 0) return real(descriptor, mode);
  take_lock();
  int result = real(descriptor, mode);
  int failure = errno;
  if (result == 0) {
    put(CHANGE_MODE, mode & 07777, status.st_ino, 0, kind == 'd' ? below(path) : NULL,
        kind == 'd' ? strlen(below(path)) : 0, NULL, 0);
  }
  release_lock();
  errno = failure;
  return result;
}
