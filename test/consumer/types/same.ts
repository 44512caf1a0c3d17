/** Compiles only for `true` and two types that are the same. `any` is not the same as other types. */
export function same<A, B>(_is: Same<A, B>): void {}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
