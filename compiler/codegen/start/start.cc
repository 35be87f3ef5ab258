// The entry of convoke-run: main by way of glibc, which sets itself up and ends the process. The stack holds argc, then
// argv. Compiled for the targets alone (embedded.cmake).
#if defined(__x86_64__)
__asm__(R"(.text
.globl _start
.type _start, @function
_start:
  xorl %ebp, %ebp
  movq %rdx, %r9
  popq %rsi
  movq %rsp, %rdx
  andq $-16, %rsp
  pushq %rax
  pushq %rsp
  xorl %r8d, %r8d
  xorl %ecx, %ecx
  leaq main(%rip), %rdi
  call *__libc_start_main@GOTPCREL(%rip)
  hlt
)");
#else
__asm__(R"(.text
.globl _start
.type _start, @function
_start:
  mov x29, #0
  mov x30, #0
  mov x5, x0
  ldr x1, [sp]
  add x2, sp, #8
  mov x6, sp
  adrp x0, main
  add x0, x0, :lo12:main
  mov x3, #0
  mov x4, #0
  bl __libc_start_main
  brk #0
)");
#endif
