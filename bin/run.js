#!/usr/bin/env node
// Production entry: runs the compiled commands. A source tree that was never built is built once.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

if (!existsSync(`${root}/dist/commands`)) {
  const { build } = await import('./build.js')
  await build()
}

const { main } = await import('../dist/cli/main.js')
await main(import.meta.url)
