/* SPDX-License-Identifier: MIT */
/* Legal C that libherd's own warnings would refuse: a function without prototype, a narrowing, a VLA. */
int loose(long n);
int loose_helper(unsigned n)
{
    char bytes[n + 1];
    bytes[0] = n;
    return bytes[0];
}
int loose(long n)
{
    int x = n;
    return x + loose_helper(x);
}
