'use server'

import { cookies } from 'next/headers'

/** Replaces a login: anybody can take any name. */
export async function signIn(form: FormData): Promise<void> {
  const name = String(form.get('name') ?? '').trim()
  if (name === '' || name.length > 24) return
  const jar = await cookies()
  jar.set('name', name, { httpOnly: true, sameSite: 'lax' })
}
