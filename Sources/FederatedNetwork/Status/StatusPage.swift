import CSodium

/// The page that a browser shows: one text that needs nothing from elsewhere and fetches `status.json` every second.
///
/// It never changes, so that what a client says about itself can reach a browser only as JSON, and from there only as text.
enum StatusPage {
  static let html = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>nndist</title>
    <link rel="icon" href="\(icon)">
    <style>\(style)</style>
    </head>
    \(body)
    <script>\(script)</script>
    </html>

    """

  /// Nothing may run, load or be sent but this style, this script and requests to the server that serves the page.
  static let contentSecurityPolicy =
    "default-src 'none'; style-src '\(digest(style))'; script-src '\(digest(script))'; connect-src 'self'; "
    + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

  /// Three connected dots.
  private static let icon =
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='%232a6fb0' stroke='%232a6fb0'%3E"
    + "%3Cpath d='M8 3 3 13h10z' fill='none'/%3E%3Ccircle cx='8' cy='3' r='2.5'/%3E%3Ccircle cx='3' cy='13' r='2.5'/%3E"
    + "%3Ccircle cx='13' cy='13' r='2.5'/%3E%3C/svg%3E"

  /// What stands on the page; the script fills it in.
  private static let body = """
    <body>
    <header>
      <div class="title"><h1 id="name">nndist</h1><span id="state" class="pill">connecting</span></div>
      <p id="about" class="quiet">&nbsp;</p>
      <div class="progress">
        <p><strong id="round">no round yet</strong> <span id="cohort" class="quiet"></span></p>
        <div class="track" role="progressbar" aria-label="rounds" aria-valuemin="0" id="track"><div id="bar"></div></div>
      </div>
    </header>
    <p id="lost" role="alert" hidden></p>
    <noscript><p class="banner">This page needs its own script; <a href="status.json">status.json</a> does not.</p></noscript>
    <main>
      <section id="cards" aria-label="key figures"></section>
      <section class="charts">
        <figure><figcaption><h2>Accuracy and loss</h2><span id="quality-legend" class="legend"></span></figcaption>
          <svg id="quality" role="img" aria-label="accuracy and loss over rounds"></svg></figure>
        <figure><figcaption><h2>Bytes a round</h2><span id="traffic-legend" class="legend"></span></figcaption>
          <svg id="traffic" role="img" aria-label="bytes of every round"></svg></figure>
      </section>
      <section class="clients">
        <div class="bar"><h2>Clients</h2><div id="filters" role="group" aria-label="show clients that are"></div>
          <div id="pager"><button id="back" type="button" aria-label="clients before">‹</button>
            <span id="range"></span><button id="on" type="button" aria-label="clients after">›</button></div></div>
        <div class="scroll"><table>
          <thead><tr><th class="number">Client</th><th>State</th><th>Name</th><th>Address</th><th class="number">Rounds</th>
            <th class="number">Taken</th><th class="number">Refused</th><th class="number">Up</th><th class="number">Down</th>
            <th class="number">Heard</th><th>Remark</th></tr></thead>
          <tbody id="clients"></tbody>
        </table></div>
      </section>
    </main>
    <footer><span id="notes"></span><span><a href="status.json">JSON</a> <a href="metrics">metrics</a></span></footer>
    </body>
    """

  private static func digest(_ text: String) -> String {
    NetworkLibraries.begin()
    var hash = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
    let bytes = Array(text.utf8)
    crypto_hash_sha256(&hash, bytes, UInt64(bytes.count))
    var base64 = [CChar](repeating: 0, count: sodium_base64_encoded_len(hash.count, sodium_base64_VARIANT_ORIGINAL))
    sodium_bin2base64(&base64, base64.count, hash, hash.count, sodium_base64_VARIANT_ORIGINAL)
    return "sha256-" + String(decoding: base64.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
