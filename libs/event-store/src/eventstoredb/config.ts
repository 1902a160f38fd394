/** The server's URL as an administrator, for the one command that needs it. */
export function adminUrl(): string {
  const url = process.env['EVENTSTOREDB_ADMIN_URL'] ?? '';
  if (url === '') {
    throw new Error(
      'EVENTSTOREDB_ADMIN_URL: must be the URL of the server as an administrator, esdb://admin:…@host:2113',
    );
  }
  return url;
}
