//! The texts that the trigram profiles are counted from: half everyday prose, half documentation.
//!
//! They say roughly the same in each language and were written for this purpose, so a profile can
//! be traced to its source and be improved by adding to it.

pub(super) const ENGLISH: &str = "
On Saturday morning my grandmother and I went to the market in the old part of the town. The sun was
shining, the streets were full of people, and the smell of fresh bread came from the bakery on the
corner. We bought apples, cheese, a little fish and flowers for the neighbour who had been ill since
the beginning of the month. Later we were sitting in the kitchen, drinking tea and talking about what
had happened during the winter. She told me how she had learned to read when there was no school in
the village, and which books she would never give away. In the evening it began to rain, so we stayed
at home and listened to the wind in the trees.
This program reads a file, checks its contents and writes the result to another file. If an option is
missing, the default value is used; otherwise the command fails with an error message. Each line of
the configuration must contain a name and a value. You can change the settings at any time, but they
only take effect after the service has been started again. Please make sure that you have enough
space on the disk before installing the new version. The following section describes how requests
are handled, when a connection is closed, and what should be done whenever the server does not answer
within the given time. Users without permission cannot delete or change the data of other users.";

pub(super) const GERMAN: &str = "
Am Samstagmorgen gingen meine Großmutter und ich auf den Markt im alten Teil der Stadt. Die Sonne
schien, die Straßen waren voller Menschen, und aus der Bäckerei an der Ecke kam der Geruch von frischem
Brot. Wir kauften Äpfel, Käse, ein wenig Fisch und Blumen für die Nachbarin, die seit dem Anfang des
Monats krank war. Später saßen wir in der Küche, tranken Tee und sprachen darüber, was während des
Winters geschehen war. Sie erzählte mir, wie sie lesen gelernt hatte, als es im Dorf noch keine Schule
gab, und welche Bücher sie niemals weggeben würde. Am Abend begann es zu regnen, also blieben wir zu
Hause und hörten dem Wind in den Bäumen zu.
Dieses Programm liest eine Datei, prüft ihren Inhalt und schreibt das Ergebnis in eine andere Datei.
Fehlt eine Option, wird der Vorgabewert verwendet; sonst bricht der Befehl mit einer Fehlermeldung ab.
Jede Zeile der Konfiguration muss einen Namen und einen Wert enthalten. Sie können die Einstellungen
jederzeit ändern, aber sie werden erst wirksam, nachdem der Dienst neu gestartet wurde. Bitte stellen
Sie sicher, dass genügend Speicherplatz vorhanden ist, bevor Sie die neue Version installieren. Der
folgende Abschnitt beschreibt, wie Anfragen bearbeitet werden, wann eine Verbindung geschlossen wird
und was zu tun ist, wenn der Server nicht innerhalb der angegebenen Zeit antwortet. Benutzer ohne
Berechtigung können die Daten anderer Benutzer weder löschen noch ändern.";

pub(super) const FRENCH: &str = "
Samedi matin, ma grand-mère et moi sommes allés au marché dans la vieille partie de la ville. Le soleil
brillait, les rues étaient pleines de gens, et l'odeur du pain frais venait de la boulangerie au coin.
Nous avons acheté des pommes, du fromage, un peu de poisson et des fleurs pour la voisine qui était
malade depuis le début du mois. Plus tard, nous étions assis dans la cuisine, nous buvions du thé et
nous parlions de ce qui s'était passé pendant l'hiver. Elle m'a raconté comment elle avait appris à
lire quand il n'y avait pas d'école au village, et quels livres elle ne donnerait jamais. Le soir, il a
commencé à pleuvoir, alors nous sommes restés à la maison et nous avons écouté le vent dans les arbres.
Ce programme lit un fichier, vérifie son contenu et écrit le résultat dans un autre fichier. Si une
option est absente, la valeur par défaut est utilisée ; sinon, la commande échoue avec un message
d'erreur. Chaque ligne de la configuration doit contenir un nom et une valeur. Vous pouvez modifier les
paramètres à tout moment, mais ils ne prennent effet qu'après le redémarrage du service. Veuillez vous
assurer qu'il y a assez d'espace sur le disque avant d'installer la nouvelle version. La section
suivante décrit comment les requêtes sont traitées, quand une connexion est fermée et ce qu'il faut
faire lorsque le serveur ne répond pas dans le délai indiqué. Les utilisateurs sans autorisation ne
peuvent ni supprimer ni modifier les données des autres utilisateurs.";

pub(super) const SPANISH: &str = "
El sábado por la mañana mi abuela y yo fuimos al mercado en la parte vieja de la ciudad. Brillaba el
sol, las calles estaban llenas de gente y de la panadería de la esquina llegaba el olor del pan recién
hecho. Compramos manzanas, queso, un poco de pescado y flores para la vecina, que estaba enferma desde
el principio del mes. Más tarde nos sentamos en la cocina, bebimos té y hablamos de lo que había
sucedido durante el invierno. Ella me contó cómo había aprendido a leer cuando no había escuela en el
pueblo, y qué libros no regalaría nunca. Por la noche empezó a llover, así que nos quedamos en casa y
escuchamos el viento en los árboles.
Este programa lee un archivo, comprueba su contenido y escribe el resultado en otro archivo. Si falta
una opción, se usa el valor por defecto; de lo contrario, la orden termina con un mensaje de error.
Cada línea de la configuración debe contener un nombre y un valor. Puede cambiar los ajustes en
cualquier momento, pero solo tienen efecto después de que el servicio se haya iniciado de nuevo.
Asegúrese de que hay bastante espacio en el disco antes de instalar la nueva versión. La sección
siguiente describe cómo se tratan las peticiones, cuándo se cierra una conexión y qué debe hacerse si
el servidor no responde dentro del tiempo indicado. Los usuarios sin permiso no pueden borrar ni
cambiar los datos de otros usuarios.";

pub(super) const ITALIAN: &str = "
Sabato mattina mia nonna e io siamo andati al mercato nella parte vecchia della città. Splendeva il
sole, le strade erano piene di gente e dal forno all'angolo veniva l'odore del pane fresco. Abbiamo
comprato delle mele, del formaggio, un po' di pesce e dei fiori per la vicina che era malata
dall'inizio del mese. Più tardi eravamo seduti in cucina, bevevamo il tè e parlavamo di quello che era
successo durante l'inverno. Lei mi ha raccontato come aveva imparato a leggere quando nel paese non
c'era ancora la scuola, e quali libri non regalerebbe mai. La sera ha cominciato a piovere, così siamo
rimasti a casa e abbiamo ascoltato il vento tra gli alberi.
Questo programma legge un file, controlla il suo contenuto e scrive il risultato in un altro file. Se
manca un'opzione, viene usato il valore predefinito; altrimenti il comando termina con un messaggio di
errore. Ogni riga della configurazione deve contenere un nome e un valore. È possibile cambiare le
impostazioni in qualsiasi momento, ma esse hanno effetto soltanto dopo che il servizio è stato avviato
di nuovo. Assicurarsi che ci sia abbastanza spazio sul disco prima di installare la nuova versione. La
sezione seguente descrive come vengono gestite le richieste, quando viene chiusa una connessione e che
cosa si deve fare se il server non risponde entro il tempo indicato. Gli utenti senza autorizzazione
non possono cancellare né modificare i dati degli altri utenti.";

pub(super) const PORTUGUESE: &str = "
No sábado de manhã, a minha avó e eu fomos ao mercado na parte velha da cidade. O sol brilhava, as ruas
estavam cheias de gente, e da padaria da esquina vinha o cheiro do pão fresco. Comprámos maçãs, queijo,
um pouco de peixe e flores para a vizinha, que estava doente desde o começo do mês. Mais tarde ficamos
sentados na cozinha, bebemos chá e falamos sobre o que tinha acontecido durante o inverno. Ela
contou-me como tinha aprendido a ler quando não havia escola na aldeia, e quais os livros que nunca
daria a ninguém. À noite começou a chover, então ficamos em casa e ouvimos o vento nas árvores.
Este programa lê um arquivo, verifica o seu conteúdo e escreve o resultado em outro arquivo. Se faltar
uma opção, é usado o valor padrão; caso contrário, o comando termina com uma mensagem de erro. Cada
linha da configuração deve conter um nome e um valor. Você pode alterar as configurações a qualquer
momento, mas elas só têm efeito depois que o serviço for iniciado novamente. Certifique-se de que há
espaço suficiente no disco antes de instalar a nova versão. A seção seguinte descreve como os pedidos
são tratados, quando uma ligação é fechada e o que deve ser feito se o servidor não responder dentro do
tempo indicado. Os usuários sem permissão não podem apagar nem alterar os dados de outros usuários.";

pub(super) const DUTCH: &str = "
Op zaterdagochtend gingen mijn grootmoeder en ik naar de markt in het oude deel van de stad. De zon
scheen, de straten waren vol mensen en de geur van vers brood kwam uit de bakkerij op de hoek. We
kochten appels, kaas, een beetje vis en bloemen voor de buurvrouw, die sinds het begin van de maand
ziek was. Later zaten we in de keuken, dronken thee en praatten over wat er tijdens de winter gebeurd
was. Ze vertelde me hoe ze had leren lezen toen er in het dorp nog geen school was, en welke boeken ze
nooit zou weggeven. 's Avonds begon het te regenen, dus bleven we thuis en luisterden we naar de wind
in de bomen.
Dit programma leest een bestand, controleert de inhoud en schrijft het resultaat naar een ander bestand.
Als een optie ontbreekt, wordt de standaardwaarde gebruikt; anders eindigt de opdracht met een
foutmelding. Elke regel van de configuratie moet een naam en een waarde bevatten. U kunt de instellingen
op elk moment wijzigen, maar ze worden pas van kracht nadat de dienst opnieuw is gestart. Zorg ervoor
dat er genoeg ruimte op de schijf is voordat u de nieuwe versie installeert. Het volgende gedeelte
beschrijft hoe verzoeken worden afgehandeld, wanneer een verbinding wordt gesloten en wat er moet
gebeuren als de server niet binnen de opgegeven tijd antwoordt. Gebruikers zonder toestemming kunnen de
gegevens van andere gebruikers niet verwijderen of veranderen.";
