import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireProgram } from './requirements.ts'

/** Makes a certificate for 127.0.0.1, signed by itself, for a server or a client. Without `openssl` the test is pending. */
export function makeCertificate(test: Mocha.Context): { readonly key: Buffer; readonly cert: Buffer } {
  requireProgram(test, 'openssl', 'apt-get install openssl')
  const folder = mkdtempSync(join(tmpdir(), 'comet-tls-'))
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
    const subject = [...name, '-days', '1', '-nodes']
    execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    })
    return { key: readFileSync(key), cert: readFileSync(cert) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
