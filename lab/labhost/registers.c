/*
 * ptrace(2) for a kernel of User-Mode Linux that knows registers up to AVX-512 only.
 *
 * It hands back the 2,696 bytes that it has kept of a process (HOST_FP_SIZE in
 * arch/x86/um/user-offsets.c). Where the processor has more, with AMX, the host's kernel
 * takes the whole area or nothing (xstateregs_set in arch/x86/kernel/fpu/regset.c), and
 * init dies of EFAULT. So what is missing is added as it stands in the process now: no
 * process of a lab host can use AMX, since its kernel does not know how to allow it.
 *
 * Interposed with LD_PRELOAD. One thread, and nothing calls it in a signal handler.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char whole[65536];

static long set_registers(pid_t pid, void *kind, struct iovec *given)
{
	struct iovec all = { whole, sizeof whole };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, kind, &all) < 0)
		return -1;
	if (given->iov_len >= all.iov_len)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, given);
	memcpy(whole, given->iov_base, given->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list words;
	pid_t pid;
	void *address, *data;
	long word;

	va_start(words, request);
	pid = va_arg(words, pid_t);
	address = va_arg(words, void *);
	data = va_arg(words, void *);
	va_end(words);

	if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		return set_registers(pid, address, data);
	if (request < PTRACE_PEEKTEXT || request > PTRACE_PEEKUSER)
		return syscall(SYS_ptrace, request, pid, address, data);
	/* The C library returns the word; the system call wants a place for it. */
	if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
		return -1;
	errno = 0;
	return word;
}
