// Holes in files: Node has no fallocate, so the one of util-linux is asked. It gets the descriptor
// that we have, so that it is this file whatever its name is by now.
import { spawn } from 'node:child_process'

/** What it says where the file system cannot. */
const NOT_SUPPORTED = /not supported|not implemented/i
const STDERR_MAX = 1_000

/** False: there is no such tool here, or the file system cannot. */
export function punchHole(
  fd: number,
  { position, length }: { readonly position: number; readonly length: number },
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const range = ['--offset', String(position), '--length', String(length)]
    const child = spawn('fallocate', ['--punch-hole', ...range, '/proc/self/fd/3'], {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/bin:/bin`, LC_ALL: 'C' },
    })
    let said = ''
    child.stderr!.on('data', (text: Buffer) => {
      if (said.length < STDERR_MAX) said += text.toString()
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(false)
      else reject(error)
    })
    child.on('close', code => {
      if (code === 0) resolve(true)
      else if (NOT_SUPPORTED.test(said)) resolve(false)
      else reject(Object.assign(new Error(said.trim()), { code: 'EIO' }))
    })
  })
}
