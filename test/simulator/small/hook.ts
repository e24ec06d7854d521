// Runs in the thread that loads modules: gives small/limits.ts for src/base/limits.ts to everybody
// but small/limits.ts itself, which stands on it.
import type { ResolveHook } from 'node:module'

export const resolve: ResolveHook = async (specifier, context, next) => {
  const found = await next(specifier, context)
  const wanted = found.url.endsWith('/src/base/limits.ts')
  if (!wanted || context.parentURL?.endsWith('/small/limits.ts')) return found
  return { ...found, url: new URL('limits.ts', import.meta.url).href }
}
