#include "creactor/file.h"

#include "creactor/secret.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

const char *cr_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}

int cr_folder_make(const char *path) {
    if (mkdir(path, 0750) == 0) return 1;
    if (errno != EEXIST) return -errno;
    struct stat info;
    if (stat(path, &info) < 0) return -errno;
    return S_ISDIR(info.st_mode) ? 0 : -ENOTDIR;
}

int cr_folder_sync(const char *path) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    int status = fsync(descriptor) < 0 ? -errno : 0;
    close(descriptor);
    return status;
}

int cr_folder_check(const char *path) {
    struct stat info;
    if (stat(path, &info) < 0) return -errno;
    if (!S_ISDIR(info.st_mode)) return -ENOTDIR;
    return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* Temporary names are "tmp-" and 32 hexadecimal digits; the sweep touches no others. */
static const char temporary_prefix[] = "tmp-";

static int temporary_name(char name[CR_TEMPORARY_NAME_SIZE]) {
    uint8_t random[16];
    int status = cr_random_bytes(random, sizeof random);
    if (status < 0) return status;
    char *at = stpcpy(name, temporary_prefix);
    for (size_t i = 0; i < sizeof random; i++) at += sprintf(at, "%02x", random[i]);
    return 0;
}

/* Where a file system knows no locks, files are used unlocked and never swept. */
static int knows_no_locks(int error) { return error == ENOLCK || error == ENOSYS || error == EOPNOTSUPP; }

/* A sweep may come between the creation and the lock: then the lock is not had, or the file has lost its name. */
static int is_ours(int descriptor) {
    struct stat info;
    if (flock(descriptor, LOCK_EX | LOCK_NB) < 0 && !knows_no_locks(errno)) return 0;
    return fstat(descriptor, &info) == 0 && info.st_nlink > 0;
}

int cr_temporary_create(const char *folder, char name[CR_TEMPORARY_NAME_SIZE]) {
    char path[4096];
    for (int attempt = 0; attempt < 8; attempt++) {
        int status = temporary_name(name);
        if (status < 0) return status;
        if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return -ENAMETOOLONG;
        int descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (descriptor < 0 && errno == EEXIST) continue;
        if (descriptor < 0) return -errno;
        if (is_ours(descriptor)) return descriptor;
        close(descriptor);
    }
    return -EBUSY;
}

static int remove_if_abandoned(int folder, const char *name) {
    int descriptor = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) return 0;
    int removed = flock(descriptor, LOCK_EX | LOCK_NB) == 0 && unlinkat(folder, name, 0) == 0;
    close(descriptor);
    return removed;
}

int cr_temporary_sweep(const char *folder) {
    DIR *entries = opendir(folder);
    if (!entries) return -errno;
    int removed = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        int is_temporary = strlen(entry->d_name) == CR_TEMPORARY_NAME_SIZE - 1 &&
                           strncmp(entry->d_name, temporary_prefix, sizeof temporary_prefix - 1) == 0;
        if (is_temporary) removed += remove_if_abandoned(dirfd(entries), entry->d_name);
    }
    closedir(entries);
    return removed;
}

int cr_file_sync(int descriptor) { return fsync(descriptor) < 0 ? -errno : 0; }

int cr_file_publish(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -errno;
    /* This file system cannot rename without replacing: a second name, then none of the first. */
    if (link(from, to) < 0) return -errno;
    return unlink(from) < 0 ? -errno : 0;
}

int cr_file_replace(const char *from, const char *to) { return rename(from, to) < 0 ? -errno : 0; }

int64_t cr_file_size(const char *path) {
    struct stat info;
    if (lstat(path, &info) < 0) return -errno;
    return S_ISREG(info.st_mode) ? info.st_size : -EINVAL;
}

int cr_file_remove(const char *path) { return unlink(path) < 0 ? -errno : 0; }
