// The local way into a running process: HTTP with JSON bodies on a Unix socket that only its user
// can open. `POST /admin` takes an AdminCommand of src/net/admin.ts; a mount adds paths of its own.
import { existsSync, unlinkSync } from 'node:fs'
import { createServer, request, type IncomingMessage, type Server } from 'node:http'
import { SwarmdiskError } from '../../base/errors.js'
import { CONTROL_BODY_BYTES_MAX } from '../../base/limits.js'

export type ControlHandler = (body: unknown) => Promise<unknown>

export interface ControlSocket {
  close(): Promise<void>
}

/**
 * Serves until closed. The caller holds the lock of the directory, so a socket left there is dead.
 */
export async function serveControl(
  path: string,
  routes: Readonly<Record<string, ControlHandler>>,
): Promise<ControlSocket> {
  if (existsSync(path)) unlinkSync(path)
  const server = createServer((message, response) => {
    const route = routes[message.url ?? '']
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    }
    if (!route) return answer(404, { error: `no such path: ${message.url ?? ''}` })
    readJson(message)
      .then(route)
      .then(
        body => answer(200, body),
        (error: unknown) => answer(500, { error: String(error) }),
      )
  })
  const umask = process.umask(0o177)
  try {
    await listen(server, path)
  } finally {
    process.umask(umask)
  }
  server.unref()
  return {
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => {
      reject(
        new SwarmdiskError('in-use', `The control socket ${path} cannot be opened.`, {
          cause: error,
        }),
      )
    })
    server.listen(path, () => resolve())
  })
}

const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'])

export interface ControlRequest {
  readonly path: string
  readonly body: unknown
  /** Milliseconds. */
  readonly deadline: number
}

/** Null if no process listens there, or it ends before it has answered. */
export async function askControl(socket: string, ask: ControlRequest): Promise<unknown> {
  try {
    return await new Promise((resolve, reject) => {
      const call = request({
        socketPath: socket,
        path: ask.path,
        method: 'POST',
        timeout: ask.deadline,
      })
      call.on('timeout', () => call.destroy(silent(ask.deadline)))
      call.on('error', reject)
      call.on('response', response => {
        readJson(response).then(body => resolve(response.statusCode === 200 ? body : null), reject)
      })
      call.end(JSON.stringify(ask.body))
    })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== undefined && NOBODY.has(code)) return null
    throw error
  }
}

function silent(deadline: number): SwarmdiskError {
  return new SwarmdiskError(
    'unreachable',
    `The process on this host did not answer within ${deadline / 1000} s: look at its log.`,
  )
}

function readJson(message: IncomingMessage): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    message.on('data', (part: Buffer) => {
      size += part.length
      if (size > CONTROL_BODY_BYTES_MAX) message.destroy(new Error('body too long'))
      else parts.push(part)
    })
    message.on('error', reject)
    message.on('end', () => {
      try {
        resolve(JSON.parse(Buffer.concat(parts).toString('utf8') || 'null'))
      } catch (cause) {
        reject(
          new SwarmdiskError('protocol', 'A local process answered with broken JSON.', { cause }),
        )
      }
    })
  })
}
